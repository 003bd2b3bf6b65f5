"""How a published version could answer faster, and what that would cost it in accuracy."""

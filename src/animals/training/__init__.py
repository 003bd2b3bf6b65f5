"""From decoded pictures to a published version."""

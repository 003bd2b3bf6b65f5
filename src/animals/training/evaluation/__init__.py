"""What a published version is worth: measured on its test pictures, and on what may happen to them."""

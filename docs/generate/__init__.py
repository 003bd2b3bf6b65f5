"""Tables of the reference, made from the code while the site is built."""

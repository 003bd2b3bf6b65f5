"""Makes the reference from the code when the site is built, so that it cannot say anything else than the code does."""

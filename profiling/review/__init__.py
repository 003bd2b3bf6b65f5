"""reports/README.md: what its generated parts show, what is run to measure it, and how they come into the page."""

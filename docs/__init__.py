"""The documentation: pages in Markdown, and in `generate/` what makes the others from the code."""

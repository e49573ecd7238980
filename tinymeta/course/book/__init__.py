"""The book: every lesson as a page for GitHub, a notebook and an offline page, from one run."""

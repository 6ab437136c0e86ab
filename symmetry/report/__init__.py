"""Reports: frozen records in, Markdown, JSON and figures out."""

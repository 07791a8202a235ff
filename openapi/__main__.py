"""Write the document where it is served from, and where it is read: `make openapi`."""

from openapi import texts

for path, text in texts().items():
    path.write_text(text, encoding="utf-8")

"""What kind of picture some bytes are, told by how they begin and not by what anybody says.

SVG is no picture here: it is a document, which can run scripts and fetch.
"""

_BEGINNINGS = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"BM", "image/bmp"),
    (b"\x00\x00\x01\x00", "image/x-icon"),
)
_AVIF_BRANDS = (b"avif", b"avis")

ACCEPTED = "image/avif,image/webp,image/png,image/jpeg,image/gif;q=0.9,image/*;q=0.5"


def picture_type(content: bytes) -> str | None:
    """The media type of a picture that every browser shows; None for all else."""
    for beginning, media_type in _BEGINNINGS:
        if content.startswith(beginning):
            return media_type
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp"
    if content[4:8] == b"ftyp" and content[8:12] in _AVIF_BRANDS:
        return "image/avif"
    return None

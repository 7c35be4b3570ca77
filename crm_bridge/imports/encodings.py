"""In which encoding a text file is: its mark, UTF-8 if all of it is, else GB18030 (which holds GBK and GB 2312)."""

import codecs
from pathlib import Path

BLOCK = 1 << 20
MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


class UnreadableText(Exception):
    """The text is not in that encoding; `at` is the first byte that is wrong."""

    def __init__(self, encoding: str, at: int) -> None:
        super().__init__(f"byte {at} is not {encoding}")
        self.encoding, self.at = encoding, at


def encoding_of(path: Path, wanted: str) -> str:
    """The encoding by which the whole file can be read; `wanted` is "auto" or a name. Raises UnreadableText."""
    with path.open("rb") as file:
        head = file.read(4)
    marked = next((name for mark, name in MARKS if head.startswith(mark)), None)
    if wanted != "auto":
        chosen = marked if marked is not None and marked.startswith(wanted) else wanted
        _require(path, chosen)
        return chosen
    if marked is not None:
        _require(path, marked)
        return marked
    try:
        _require(path, "utf-8")
    except UnreadableText:
        _require(path, "gb18030")
        return "gb18030"
    return "utf-8"


def _require(path: Path, encoding: str) -> None:
    decoder, read = codecs.getincrementaldecoder(encoding)("strict"), 0
    with path.open("rb") as file:
        try:
            while block := file.read(BLOCK):
                pending = len(decoder.getstate()[0])
                decoder.decode(block)
                read += len(block)
            pending = len(decoder.getstate()[0])
            decoder.decode(b"", final=True)
        except UnicodeDecodeError as error:
            raise UnreadableText(encoding, read - pending + error.start) from None

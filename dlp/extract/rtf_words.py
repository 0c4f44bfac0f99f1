"""The vocabulary of RTF (Rich Text Format Specification 1.9.1): what its control words mean to a reader of texts."""

from dlp.model import Zone

INHERIT = frozenset(
    """shppict nonshppict shp shpinst shprslt shpgrp do dptxbx result fldrslt field object pn pntext pntxta pntxtb listtext
    nonesttables nesttableprops upr ud background defchp defpap pgdsc picprop moMath moMathPara mathPr mmath mr mden mnum mdeg
    me msub msup mfName mlim mfunc mf mnary msSub msSup msSubSup mrad md mbar mbox mborderBox mgroupChr mlimLow mlimUpp mm mmr
    meqArr macc mphant msPre oMath oMathPara""".split()  # noqa: SIM905 - readable
)
"""Destinations that are part of what stands around them."""
ZONES: dict[str, Zone] = (
    dict.fromkeys(("header", "headerl", "headerr", "headerf"), Zone.HEADER)
    | dict.fromkeys(("footer", "footerl", "footerr", "footerf"), Zone.FOOTER)
    | dict.fromkeys(("footnote", "ftnsep", "ftnsepc", "ftncn", "aftnsep", "aftnsepc", "aftncn"), Zone.NOTE)
    | dict.fromkeys(("annotation", "atnauthor", "atnid", "atndate", "atnparent", "atnref", "atntime"), Zone.COMMENT)
    | dict.fromkeys(("shptxt", "dptxbxtext"), Zone.TEXTBOX)
    | dict.fromkeys(
        (
            *("info", "title", "subject", "author", "manager", "company", "operator", "category", "keywords", "comment"),
            *("doccomm", "hlinkbase", "revtbl", "template", "generator", "objclass", "objname", "objalias"),
        ),
        Zone.PROPERTY,
    )
    | dict.fromkeys(("fonttbl", "stylesheet", "fldinst", "filetbl", "listname", "ffname", "ffl"), Zone.HIDDEN)
)
"""Destinations with a zone of their own. Any other is hidden if it begins with an asterisk, and else part of its place."""
NUMBERS = frozenset({"atrfstart", "atrfend", "colortbl", "passwordhash", "blipuid", "sn", "propname", "panose"})
"""Destinations whose text is no text, or is given with that of the next."""
HEX = frozenset({"pict", "objdata", "datastore", "themedata", "colorschememapping", "datafield", "oleclsid", "svb"})
"""Destinations that are bytes in hexadecimal digits or after \\bin."""
VALUES = frozenset({"sv", "staticval", "linkval"})
"""Destinations that are the value to the name that stands before."""

CHARACTERS = {
    "par": "\n",
    "line": "\n",
    "sect": "\n",
    "page": "\n",
    "column": "\n",
    "softline": "\n",
    "row": "\n",
    "nestrow": "\n",
    "cell": "\t",
    "nestcell": "\t",
    "tab": "\t",
    "emspace": " ",
    "enspace": " ",
    "qmspace": " ",
    "emdash": "—",
    "endash": "–",
    "bullet": "•",
    "lquote": "‘",
    "rquote": "’",
    "ldblquote": "“",
    "rdblquote": "”",
}
"""Control words that stand for characters."""
SYMBOLS = {"~": " ", "_": "-", "\n": "\n", "\r": "\n", "\t": "\t"}
"""Control symbols that stand for characters; the escaped ones are bytes of the text."""

PAGES = {936: "gb18030", 54936: "gb18030", 950: "big5hkscs", 10000: "mac_roman", 65001: "utf-8", 1361: "johab"}
"""Encodings by \\ansicpg and \\cpg where they are not called "cp" and the number."""
DOUBLE = frozenset({"gb18030", "big5hkscs", "cp932", "cp949", "johab", "utf-8"})
"""Encodings in which a character may have more than one byte."""

"""The encodings that fonts name: LOGFONT's character sets, as Windows metafiles and RTF have them.

[MS-WMF] 2.1.1.5; Rich Text Format Specification 1.9.1, \\fcharset, which adds those of the Macintosh.
"""

CHARSETS = {
    77: "mac_roman",
    78: "cp932",
    79: "cp949",
    80: "gb18030",
    81: "big5hkscs",
    85: "mac_greek",
    86: "mac_turkish",
    88: "mac_latin2",
    89: "mac_cyrillic",
    128: "cp932",
    129: "cp949",
    130: "johab",
    134: "gb18030",
    136: "big5hkscs",
    161: "cp1253",
    162: "cp1254",
    163: "cp1258",
    177: "cp1255",
    178: "cp1256",
    186: "cp1257",
    204: "cp1251",
    222: "cp874",
    238: "cp1250",
    254: "cp437",
    255: "cp850",
}
"""By their numbers. 0, 1 and 2 (ANSI, default, symbol) say nothing."""

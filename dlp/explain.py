"""Why there is a finding, in one sentence a person reads: what was found, where, by which evidence, and which checks it passed.

A finding carries short machine words (`Finding.facts`, safe to store); this alone knows how they are said. `near`, `string`,
`page` and `checks` are stated by the detector of every finding that has them, the rest by the signature's validator. A word
without a translation is said as it is: what a colleague's validator states is shown before somebody translates it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from dlp.model import Finding, Mode, Zone

Language = Literal["zh", "en"]
Titles = Mapping[Language, Mapping[str, str]]
"""What each signature finds, by language and name."""

_ZONES_ZH = {
    Zone.BODY: "正文",
    Zone.HEADER: "页眉",
    Zone.FOOTER: "页脚",
    Zone.WATERMARK: "水印",
    Zone.TEXTBOX: "文本框",
    Zone.TITLE: "标题",
    Zone.SUBJECT: "邮件主题",
    Zone.FILENAME: "文件名",
    Zone.NOTE: "备注",
    Zone.COMMENT: "批注",
    Zone.HIDDEN: "隐藏文字",
    Zone.PROPERTY: "文档属性",
    Zone.RAW: "文件字节",
}
_ZONES_EN = {
    Zone.FILENAME: "file name",
    Zone.NOTE: "notes",
    Zone.HIDDEN: "hidden text",
    Zone.TEXTBOX: "text box",
    Zone.PROPERTY: "properties",
    Zone.RAW: "bytes",
}
_WORDS_ZH = {
    # checks
    "check digit": "校验位",
    "Luhn digit": "Luhn 校验位",
    "modulo 97": "模 97 校验",
    "date": "日期",
    "region": "行政区划代码",
    "issuer": "发卡机构号段",
    "length": "长度",
    "numbering plan": "编号规则",
    "stands alone": "独立成串",
    "grouped or named": "分组书写或有名称",
    "random": "随机性",
    "no example": "非示例或占位",
    "key body": "密钥正文",
    "token header": "令牌头部",
    "place and form of the mark": "标志的位置与形式",
    "words of its kind": "该类文档的用语",
    "columns and rows": "表头与数据行",
    "lines of code": "代码行",
    "lines of configuration": "配置行",
    "lines of a conversation": "对话行",
    "formulas in cells": "单元格公式",
    "heading": "标题",
    "filled labels": "已填写的栏目",
    "form of its line": "所在行的格式",
    "form": "格式",
    "not the envelope's own": "非信封地址",
    # names of facts
    "evidence": "依据",
    "term": "保密期限",
    "lines": "行数",
    "rows": "数据行数",
    "columns": "列数",
    "words": "用语数",
    "fields": "栏目数",
    "clauses": "条款数",
    "titles": "表名数",
    "labels": "栏目数",
    "plates": "车牌数",
    "mark": "标志",
    "dated": "成文日期",
    "declassified_on": "解密日期",
    "expired": "保密期限已满",
    "void": "已解密",
    "compilation": "汇编",
    "entry": "登记条目",
    "title": "名称",
    "kind": "类型",
    "names": "名称序号",
    "match": "匹配方式",
    "share": "占比",
    "hits": "命中数",
    "owner": "责任人",
    "expires": "到期",
    "declassified": "解密日期",
    # evidence of a mark
    "star": "★",
    "weak-star": "近似★的符号",
    "bracket": "括注",
    "field": "密级字段",
    "ticked": "已勾选",
    "trade-secret": "商业秘密用语",
    "handling": "管控用语",
    "copy-number": "份号",
    "document-number": "发文字号",
    "control": "管控标记",
    "label": "敏感度标签",
    "tlp": "TLP",
    "top": "首页顶端",
    "upper part": "首页上部",
    "own line": "独占一行",
    "running text": "行文之中",
}
_WORDS_ZH |= {zone.value: name for zone, name in _ZONES_ZH.items()}
_SAID = frozenset({"near", "string", "page", "checks", "review"})
"""Facts that have a clause of their own."""
_MOST = 6
"""Other facts in one sentence."""


@dataclass(frozen=True, slots=True)
class Explain:
    """Sentences in these languages, with these titles; a signature without a title is called by its name."""

    titles: Titles
    languages: Sequence[Language] = ("zh", "en")

    def why(self, finding: Finding, *, excerpt: bool = True) -> dict[Language, str]:
        """The sentence about `finding` in each language; without the masked excerpt where that does not belong."""
        return {
            language: sentence(finding, self.titles.get(language, {}).get(finding.signature, ""), language, excerpt=excerpt)
            for language in self.languages
        }


def sentence(finding: Finding, title: str, language: Language, *, excerpt: bool = True) -> str:
    """One line on `finding`, of a signature called `title`."""
    clauses = _zh(finding, excerpt=excerpt) if language == "zh" else _en(finding, excerpt=excerpt)
    named = title or finding.signature
    text = f"{named}：{'；'.join(clauses)}。" if language == "zh" else f"{named}: {'; '.join(clauses)}."
    return " ".join(text.split())


def _zh(finding: Finding, *, excerpt: bool) -> list[str]:
    facts, shown = finding.facts, finding.excerpt if excerpt else ""
    place = f"{' / '.join(finding.trail)} 的" if finding.trail else ""
    page = f"第 {facts['page']} 页" if "page" in facts else ""
    such = f"，如“{shown}”" if shown else ""
    clauses = [f"在{place}{_ZONES_ZH[finding.zone]}{page}", f"{finding.count} 处不同的匹配{such}"]
    if "string" in facts:
        clauses.append(f"匹配规则字符串 ${facts['string']}")
    if "near" in facts:
        clauses.append(f"邻近“{facts['near']}”")
    if "checks" in facts:
        clauses.append(f"已核验：{'、'.join(map(_said_zh, _listed(facts['checks'])))}")
    clauses += [f"{_said_zh(name)}：{'、'.join(map(_said_zh, _listed(value)))}" for name, value in _others(facts)]
    clauses.append(f"可信度 {finding.confidence}")
    return [*clauses, *(["只计数，不处置（shadow）"] if finding.mode is Mode.SHADOW else []), *_reviewed(facts, "已判为误报")]


def _en(finding: Finding, *, excerpt: bool) -> list[str]:
    facts, shown = finding.facts, finding.excerpt if excerpt else ""
    zone = _ZONES_EN.get(finding.zone, finding.zone.value)
    place = f"in {' / '.join(finding.trail)} ({zone}" if finding.trail else f"in the item itself ({zone}"
    page = f", page {facts['page']})" if "page" in facts else ")"
    matches = "1 match" if finding.count == 1 else f"{finding.count} distinct matches"
    clauses = [place + page, f"{matches} such as “{shown}”" if shown else matches]
    if "string" in facts:
        clauses.append(f"by the rule's ${facts['string']}")
    if "near" in facts:
        clauses.append(f"near “{facts['near']}”")
    if "checks" in facts:
        clauses.append(f"checked: {', '.join(_listed(facts['checks']))}")
    clauses += [f"{name}: {value}" for name, value in _others(facts)]
    clauses.append(f"confidence {finding.confidence}")
    shadow = ["counted, not acted on (shadow)"] if finding.mode is Mode.SHADOW else []
    return [*clauses, *shadow, *_reviewed(facts, "marked as a false positive")]


def _others(facts: Mapping[str, str]) -> list[tuple[str, str]]:
    return [(name, value) for name, value in facts.items() if name not in _SAID][:_MOST]


def _reviewed(facts: Mapping[str, str], said: str) -> list[str]:
    return [said] if facts.get("review") == "false-positive" else []


def _listed(words: str) -> list[str]:
    return [word.strip() for word in words.split(",") if word.strip()]


def _said_zh(word: str) -> str:
    return _WORDS_ZH.get(word, word)

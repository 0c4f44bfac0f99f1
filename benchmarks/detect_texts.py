"""Texts to measure detection on, made by code: Chinese, English, source code, tables of numbers.

Sentences are put together from words that differ each time, with names, dates, amounts and numbers where documents
have them, headings, lists, and a table here and there. Nothing in them is anybody's. The same in every run.
"""

import random
from collections.abc import Callable, Mapping, Sequence

SIZES = (2_000, 5_000, 12_000, 30_000, 80_000, 200_000)
"""Bytes in UTF-8 of the parts of one round: mails and pages, reports, long reports."""

_ZH = {
    "subject": "公司 本部门 各单位 项目组 财务部 市场部 研发中心 人力资源部 总经理办公室 采购处 信息中心 法务部 客户 供应商 子公司 监理单位 "
    "专家组 业务部门 生产车间 质量管理部".split(),
    "verb": "完成 推进 组织 落实 审核 提交 汇总 调整 评估 确认 启动 安排 检查 改进 通报 研究 讨论 部署 加强 优化 协调 核对 备案 归档".split(),
    "object": "年度计划 采购方案 预算编制 系统升级 合同评审 客户走访 培训课程 验收报告 库存盘点 质量检查 安全演练 数据迁移 招标文件 月度总结 "
    "设备维护 人员招聘 市场调研 产品设计 进度安排 风险清单 整改措施 付款申请 会议材料 技术规范".split(),
    "manner": "按时 全面 逐项 认真 联合 提前 重新 分批 统一 及时 持续 会同有关人员 根据实际情况 按照既定要求 在现有基础上".split(),
    "place": "北京 上海 广州 深圳 成都 武汉 西安 杭州 南京 重庆 三楼会议室 总部 一号厂区 东区仓库 视频会场".split(),
    "close": "，具体时间另行通知 ，并将结果报送办公室 ，如有问题请及时反馈 ，确保按期交付 ，费用从年度预算中列支 ，请予支持 "
    "，有关情况见附件 ，各方均无异议 ，下一步将继续跟进".split(),
}
_SURNAMES = "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗"
_GIVEN = "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英华"
_EN = {
    "subject": "the committee,our team,the regional office,each department,the vendor,the project manager,the finance group,a customer,"
    "the review board,the supplier,the engineering staff,the legal counsel,the operations lead,the auditor,the new hire".split(","),
    "verb": "reviewed,approved,submitted,postponed,updated,discussed,prepared,completed,measured,compared,delivered,rejected,"
    "scheduled,summarised,revised,confirmed,inspected,documented".split(","),
    "object": "the quarterly report,a revised schedule,the maintenance plan,the travel policy,all pending orders,the test results,"
    "the migration checklist,a list of open issues,the shipping terms,the annual survey,the training material,the floor plan,"
    "the draft proposal,the service agreement,the budget request,the release notes".split(","),
    "close": "before the end of the month,as agreed last week,without further changes,in line with the guidelines,because of the delay,"
    "after a short discussion,for the café in the résumé section,at the naïve estimate,with two exceptions,"
    "while the remaining items stay open,subject to review".split(","),
}
_FIRST = "James Mary Robert Linda Michael Susan David Karen José Anna Thomas Laura Peter Nina Frank Zoë".split()
_LAST = "Smith Johnson Brown Taylor Miller Wilson Moore Clark Lewis Walker Young King Wright Hill Green Müller".split()
_NAMES = "item order user total price rate index count value result config buffer node path line token status batch window offset".split()
_VERBS = "load save parse build update find merge split check send read write format count resolve apply".split()


def chinese(size: int, draw: random.Random) -> str:
    """About `size` bytes of reports and notices."""
    return _filled(size, draw, ((_zh_paragraph, 10), (_zh_list, 2), (_zh_table, 1)))


def english(size: int, draw: random.Random) -> str:
    """About `size` bytes of mail and reports; some words bear accents."""
    return _filled(size, draw, ((_en_paragraph, 10), (_en_list, 2), (_en_table, 1)))


def code(size: int, draw: random.Random) -> str:
    """About `size` bytes of Python, Java, C and JavaScript, a file of one of them after the other."""
    return _filled(size, draw, ((_python, 3), (_java, 2), (_c, 2), (_javascript, 2)))


def numbers(size: int, draw: random.Random) -> str:
    """About `size` bytes of a spreadsheet of numbers: identifiers, dates, quantities, amounts."""
    return _filled(size, draw, ((_row, 1),))


TEXTS: Mapping[str, Callable[[int, random.Random], str]] = {
    "Chinese": chinese,
    "English": english,
    "source code": code,
    "tables of numbers": numbers,
}


def parts(kind: str, *, rounds: int = 3) -> Sequence[str]:
    """`rounds` texts of every size."""
    draw = random.Random(f"{kind} 20260101")
    return [TEXTS[kind](size, draw) for _ in range(rounds) for size in SIZES]


def _filled(size: int, draw: random.Random, makers: Sequence[tuple[Callable[[random.Random], str], int]]) -> str:
    kinds, weights = zip(*makers, strict=True)
    pieces: list[str] = []
    left = size
    while left > 0:
        (maker,) = draw.choices(kinds, weights)
        pieces.append(maker(draw))
        left -= len(pieces[-1].encode())
    return "".join(pieces)


def _zh_sentence(draw: random.Random) -> str:
    words = {name: draw.choice(choices) for name, choices in _ZH.items()}
    month, day, share = draw.randint(1, 12), draw.randint(1, 28), draw.randint(3, 98)
    person = draw.choice(_SURNAMES) + draw.choice(_GIVEN) + draw.choice(("", draw.choice(_GIVEN)))
    amount = f"{draw.randint(1, 9_999)}.{draw.randint(0, 99):02d}"
    forms = (
        f"{words['subject']}{words['manner']}{words['verb']}{words['object']}{words['close']}。",
        f"{month}月{day}日，{person}在{words['place']}{words['verb']}{words['object']}，完成率为{share}%。",
        f"{words['subject']}应当于{month}月底前{words['verb']}{words['object']}，金额{amount}万元{words['close']}。",
        f"经{words['subject']}研究，同意{person}提出的{words['object']}{words['close']}；其余事项由{words['place']}另行{words['verb']}。",
        f"“{words['object']}”由{words['subject']}{words['manner']}{words['verb']}（参见 V{draw.randint(1, 9)}.{draw.randint(0, 9)} 版）。",
    )
    return draw.choice(forms)


def _zh_paragraph(draw: random.Random) -> str:
    return "　　" + "".join(_zh_sentence(draw) for _ in range(draw.randint(2, 6))) + "\n"


def _zh_list(draw: random.Random) -> str:
    head = f"{draw.choice('一二三四五六七八九')}、{draw.choice(_ZH['object'])}\n"
    return head + "".join(f"（{n}）{_zh_sentence(draw)}\n" for n in range(1, draw.randint(3, 7)))


def _zh_table(draw: random.Random) -> str:
    rows = (
        f"{n}\t{draw.choice(_ZH['object'])}\t{draw.randint(1, 500)}\t{draw.uniform(10, 90_000):,.2f}\t2026-{draw.randint(1, 12):02d}-"
        f"{draw.randint(1, 28):02d}\t{draw.choice(_SURNAMES)}{draw.choice(_GIVEN)}\n"
        for n in range(1, draw.randint(5, 15))
    )
    return "序号\t事项\t份数\t金额\t日期\t经办人\n" + "".join(rows)


def _en_sentence(draw: random.Random) -> str:
    subject, verb, thing, close = (draw.choice(_EN[name]) for name in ("subject", "verb", "object", "close"))
    person = f"{draw.choice(_FIRST)} {draw.choice(_LAST)}"
    day = f"{draw.randint(1, 28)} {draw.choice(('January', 'March', 'May', 'June', 'September', 'October'))}"
    forms = (
        f"{subject.capitalize()} {verb} {thing} {close}.",
        f"On {day}, {person} {verb} {thing} at a cost of ${draw.randint(100, 99_000):,}.{draw.randint(0, 99):02d} {close}.",
        f"Please note that {subject} {verb} {thing}; {draw.randint(2, 97)}% of the work was done {close}.",
        f'"We {verb} {thing}," said {person} (see section {draw.randint(1, 12)}.{draw.randint(1, 9)}), "{close}."',
    )
    return draw.choice(forms)


def _en_paragraph(draw: random.Random) -> str:
    return " ".join(_en_sentence(draw) for _ in range(draw.randint(2, 7))) + "\n\n"


def _en_list(draw: random.Random) -> str:
    return "".join(f"{n}. {_en_sentence(draw)}\n" for n in range(1, draw.randint(3, 7))) + "\n"


def _en_table(draw: random.Random) -> str:
    rows = (
        f"{draw.choice(_LAST)}\t{draw.choice(_EN['object'])}\t{draw.randint(1, 999)}\t{draw.uniform(1, 90_000):,.2f}\t"
        f"{draw.randint(1, 12)}/{draw.randint(1, 28)}/2026\n"
        for _ in range(draw.randint(5, 15))
    )
    return "Owner\tItem\tUnits\tAmount\tDue\n" + "".join(rows) + "\n"


def _words(draw: random.Random) -> tuple[str, str, str, str]:
    return draw.choice(_VERBS), draw.choice(_NAMES), draw.choice(_NAMES), draw.choice(_NAMES)


def _python(draw: random.Random) -> str:
    verb, a, b, c = _words(draw)
    limit = draw.randint(2, 9_999)
    return (
        f'def {verb}_{a}({b}: list[int], *, {c}: int = {limit}) -> dict[str, int]:\n    """{verb.capitalize()} every {a} of {b}."""\n'
        f"    {a}s = {{}}\n    for place, one in enumerate({b}):\n        if one > {c} and one % {draw.randint(2, 9)}:\n"
        f"            {a}s[f\"{{place}}:{{one}}\"] = self.{verb}(one, 0x{draw.randrange(1 << 24):06x})\n        else:\n            continue\n"
        f"    return {a}s\n\n\n"
    )


def _java(draw: random.Random) -> str:
    verb, a, b, c = _words(draw)
    return (
        f"    /** {verb.capitalize()}s the {a}. */\n    public int {verb}{a.capitalize()}(final String {b}, long {c}) {{\n"
        f"        if ({b} == null || {c} < {draw.randint(1, 99)}L) {{\n            throw new IllegalArgumentException(\"{a}: \" + {b});\n"
        f"        }}\n        for (int i = 0; i < {b}.length(); i++) {{\n            {c} += {b}.charAt(i) * {draw.randint(3, 999)};\n"
        f"        }}\n        return (int) ({c} >>> {draw.randint(1, 31)});\n    }}\n\n"
    )


def _c(draw: random.Random) -> str:
    verb, a, b, c = _words(draw)
    return (
        f"static int {verb}_{a}(struct {b} *{b}, size_t {c})\n{{\n\tunsigned char buf[{draw.randint(8, 4096)}];\n\tint ret = -EINVAL;\n\n"
        f"\tif (!{b} || {c} > sizeof(buf))\n\t\treturn ret;\n\tmemcpy(buf, {b}->data, {c}); /* {a} of {b} */\n"
        f"\twhile ({c}--)\n\t\tret = {verb}_one(buf[{c}] ^ 0x{draw.randrange(256):02x}, ret);\n\treturn ret;\n}}\n\n"
    )


def _javascript(draw: random.Random) -> str:
    verb, a, b, c = _words(draw)
    return (
        f"export async function {verb}{a.capitalize()}({b}, {{ {c} = {draw.randint(1, 500)}, retries = {draw.randint(1, 9)} }} = {{}}) {{\n"
        f"  const {a} = await fetch(`/api/v{draw.randint(1, 3)}/{b}s?{c}=${{{c}}}`);\n"
        f"  if (!{a}.ok && retries > 0) return {verb}{a.capitalize()}({b}, {{ {c}, retries: retries - 1 }});\n"
        f"  return ({a}.body ?? []).map(({b}) => ({{ ...{b}, {c}: {b}.{c} * 1.{draw.randint(1, 99)} }}));\n}}\n\n"
    )


def _row(draw: random.Random) -> str:
    cells = (
        str(draw.randrange(10_000_000, 100_000_000)),
        f"2026-{draw.randint(1, 12):02d}-{draw.randint(1, 28):02d}",
        str(draw.randrange(10 ** draw.randint(9, 19))),
        str(draw.randrange(1_000)),
        f"{draw.uniform(0, 99_999):.2f}",
        f"{draw.uniform(0, 9_999_999):,.2f}",
        str(draw.choice((13, 15, 17, 18, 19)) * 10**9 + draw.randrange(10**9)),
        draw.choice(("A", "B", "待定", "已付")) + str(draw.randrange(100_000)),
    )
    return "\t".join(cells) + "\n"

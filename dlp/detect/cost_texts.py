"""Texts to measure detection on, made by code: Chinese, English, source code, tables of numbers.

Sentences are put together from words that differ each time, with names, dates, amounts and numbers where documents
have them, headings, lists, and a table here and there. Nothing in them is anybody's. The same in every run.
"""

import random
import re
from collections.abc import Callable, Mapping, Sequence

SIZES = (2_000, 5_000, 12_000, 30_000, 80_000, 200_000)
"""Bytes in UTF-8 of the parts of one round: mails and pages, reports, long reports."""


def _list(words: str, divider: str | None = None) -> tuple[str, ...]:
    return tuple(word.strip() for word in words.split(divider))


_ZH: Mapping[str, Sequence[str]] = {
    "subject": _list("""公司 本部门 各单位 项目组 财务部 市场部 研发中心 人力资源部 总经理办公室 采购处 信息中心 法务部 客户
        供应商 子公司 监理单位 专家组 业务部门 生产车间 质量管理部"""),
    "verb": _list("""完成 推进 组织 落实 审核 提交 汇总 调整 评估 确认 启动 安排 检查 改进 通报 研究 讨论 部署 加强 优化 协调 核对
        备案 归档"""),
    "object": _list("""年度计划 采购方案 预算编制 系统升级 合同评审 客户走访 培训课程 验收报告 库存盘点 质量检查 安全演练 数据迁移
        招标文件 月度总结 设备维护 人员招聘 市场调研 产品设计 进度安排 风险清单 整改措施 付款申请 会议材料 技术规范"""),
    "manner": _list("按时 全面 逐项 认真 联合 提前 重新 分批 统一 及时 持续 会同有关人员 根据实际情况 按照既定要求 在现有基础上"),
    "place": _list("北京 上海 广州 深圳 成都 武汉 西安 杭州 南京 重庆 三楼会议室 总部 一号厂区 东区仓库 视频会场"),
    "close": _list("""，具体时间另行通知 ，并将结果报送办公室 ，如有问题请及时反馈 ，确保按期交付 ，费用从年度预算中列支
        ，请予支持 ，有关情况见附件 ，各方均无异议 ，下一步将继续跟进"""),
}
_SURNAMES = "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗"
_GIVEN = "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英华"
_EN: Mapping[str, Sequence[str]] = {
    "subject": _list(
        """the committee, our team, the regional office, each department, the vendor, the project manager,
        the finance group, a customer, the review board, the supplier, the engineering staff, the legal counsel,
        the operations lead, the auditor,
        the new hire""",
        ",",
    ),
    "verb": _list("""reviewed approved submitted postponed updated discussed prepared completed measured compared delivered
        rejected scheduled summarised revised confirmed inspected documented"""),
    "object": _list(
        """the quarterly report, a revised schedule, the maintenance plan, the travel policy, all pending orders,
        the test results, the migration checklist, a list of open issues, the shipping terms, the annual survey,
        the training material,
        the floor plan, the draft proposal, the service agreement, the budget request, the release notes""",
        ",",
    ),
    "close": _list(
        """before the end of the month, as agreed last week, without further changes, in line with the guidelines,
        because of the delay, after a short discussion, for the café in the résumé section, at the naïve estimate,
        with two exceptions, while the remaining items stay open, subject to review""",
        ",",
    ),
}
_FIRST = _list("James Mary Robert Linda Michael Susan David Karen José Anna Thomas Laura Peter Nina Frank Zoë")
_LAST = _list("Smith Johnson Brown Taylor Miller Wilson Moore Clark Lewis Walker Young King Wright Hill Green Müller")
_NAMES = _list("item order user total price rate index count value result config buffer node path line token status batch window")
_VERBS = _list("load save parse build update find merge split check send read write format resolve apply")

_PYTHON = '''
def VERB_FIRST(SECOND: Sequence[int], *, THIRD: int = NUMBER) -> dict[str, int]:
    """VERB every FIRST of SECOND; those over THIRD are kept."""
    kept: dict[str, int] = {}
    for place, one in enumerate(SECOND):
        if one > THIRD and one % NUMBER:
            kept[f"{place}:{one}"] = self.VERB(one, 0xNUMBER)
        elif place == len(SECOND) - 1:
            logger.warning("FIRST %d is the last", place)
            break
        else:
            continue
    self.THIRD += len(kept)  # counted once for each SECOND
    total = sum(kept.values()) / max(1, NUMBER)
    return {name: int(value - total) for name, value in kept.items()}

'''
_JAVA = """
    /** VERBs the FIRST and tells how many SECONDs there were. */
    public int VERBFIRST(final String SECOND, long THIRD) {
        if (SECOND == null || THIRD < NUMBERL) {
            throw new IllegalArgumentException("no FIRST: " + SECOND);
        }
        StringBuilder FIRST = new StringBuilder(SECOND.length() + NUMBER);
        for (int i = 0; i < SECOND.length(); i++) {
            THIRD += SECOND.charAt(i) * NUMBER;
            FIRST.append(SECOND.charAt(i)).append(',');
        }
        this.FIRSTs.put(SECOND, FIRST.toString());
        log.debug("FIRST of {} has {}", SECOND, THIRD);
        return (int) (THIRD >>> NUMBER);
    }
"""
_C = """
static int VERB_FIRST(struct SECOND *SECOND, size_t THIRD)
{
\tunsigned char buf[NUMBER];
\tint ret = -EINVAL;

\tif (!SECOND || THIRD > sizeof(buf))
\t\treturn ret;
\t/* the FIRST stays where it is, see SECOND.h */
\tmemcpy(buf, SECOND->data, THIRD);
\twhile (THIRD--) {
\t\tret = VERB_one(buf[THIRD] ^ 0xNUMBER, ret);
\t\tif (ret < 0)
\t\t\tgoto out;
\t}
\tSECOND->FIRST = ret;
out:
\treturn ret;
}
"""
_JAVASCRIPT = """
export async function VERBFIRST(SECOND, { THIRD = NUMBER, retries = 3 } = {}) {
  const FIRST = await fetch(`/api/vNUMBER/SECONDs?THIRD=${THIRD}`);
  if (!FIRST.ok && retries > 0) {
    // the SECOND may come later
    await new Promise((resolve) => setTimeout(resolve, NUMBER));
    return VERBFIRST(SECOND, { THIRD, retries: retries - 1 });
  }
  const { body, headers } = FIRST;
  cache.set(SECOND, headers.get("etag"));
  return (body ?? []).map((one) => ({ ...one, THIRD: one.THIRD * NUMBER }));
}
"""


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
    draw = random.Random(f"{kind} 20260101")  # noqa: S311 -- reproducible text, not a secret
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
        f"“{words['object']}”由{words['subject']}{words['verb']}（参见 V{draw.randint(1, 9)}.{draw.randint(0, 9)} 版）。",
    )
    return draw.choice(forms)


def _zh_paragraph(draw: random.Random) -> str:
    return "　　" + "".join(_zh_sentence(draw) for _ in range(draw.randint(2, 6))) + "\n"


def _zh_list(draw: random.Random) -> str:
    head = f"{draw.choice('一二三四五六七八九')}、{draw.choice(_ZH['object'])}\n"
    return head + "".join(f"（{n}）{_zh_sentence(draw)}\n" for n in range(1, draw.randint(3, 7)))


def _zh_table(draw: random.Random) -> str:
    rows = (
        f"{n}\t{draw.choice(_ZH['object'])}\t{draw.randint(1, 500)}\t{draw.uniform(10, 90_000):,.2f}\t2026-"
        f"{draw.randint(1, 12):02d}-{draw.randint(1, 28):02d}\t{draw.choice(_SURNAMES)}{draw.choice(_GIVEN)}\n"
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


def _written(draw: random.Random, source: str) -> str:
    """`source` with names and numbers of its own."""
    names = {"VERB": draw.choice(_VERBS)} | {place: draw.choice(_NAMES) for place in ("FIRST", "SECOND", "THIRD")}
    text = re.sub("VERB|FIRST|SECOND|THIRD", lambda found: names[found[0]], source)
    return re.sub("NUMBER", lambda _: str(draw.randrange(10 ** draw.randint(1, 4))), text)


def _python(draw: random.Random) -> str:
    return _written(draw, _PYTHON)


def _java(draw: random.Random) -> str:
    return _written(draw, _JAVA)


def _c(draw: random.Random) -> str:
    return _written(draw, _C)


def _javascript(draw: random.Random) -> str:
    return _written(draw, _JAVASCRIPT)


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

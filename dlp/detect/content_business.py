"""Papers of management, of trade and of people, as data: the headings are the anchors of the signatures, the labels are here.

Each entry of a tuple is one concept, a regular expression over a label in width NFKC, lower case and simplified Chinese
(see `dlp.detect.content_shape`). The elements of an official document are those of GB/T 9704-2012, of an auditor's report
those of ISA 700 and the Chinese standard 1501, of a tender those of the Regulation on tendering (招标投标法实施条例).
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from dlp.detect.content_shape import FIGURE, PUBLISHED, Shape, Window, anywhere, as_labels, by_shape, by_window, headed, seen
from dlp.detect.content_table import AMOUNT, PHONE
from dlp.detect.evidence import Candidate, Judgement, Validator

# ── management ──

_VOTE = re.compile(
    r"(?:同意|赞成)[:\s]{0,3}\d{1,3} ?票|\d{1,3} ?票(?:同意|赞成|反对|弃权)|(?:应|实)到(?:董事|监事|股东)[^\n]{0,6}\d"
    r"|全票通过|一致(?:同意|通过)"
    r"|resolved[,:]? (?:further )?that|carried unanimously|in favou?r:? ?\d|quorum"
)
_BOARD = as_labels(
    (
        r"会议(?:时间|日期)|召开时间|时间|date",
        r"会议(?:地点|形式|方式)|召开方式|地点|location|place",
        r"(?:会议)?主持人?|chair(?:man|person|ed by)?",
        r"(?:应|实)?(?:到|出席|参会)(?:董事|监事|股东|人员|领导)?|与会(?:董事|人员)|(?:directors )?present|attendees"
        r"|participants",
        r"列席(?:人员)?|缺席(?:人员)?|apologies|absent|in attendance",
        r"(?:会议)?(?:议题|议案|审议事项|提案)[一二三四五六七八九十\d]{0,2}|agenda|motion|proposal|matters? for decision",
        r"表决(?:结果|情况)?|投票结果|vote|voting",
        r"(?:会议)?(?:决议|决定)(?:事项|内容|如下)?|decision|resolution",
        r"(?:与会)?董事(?:签字|签名)|signatures?|signed",
        r"决策(?:事项|背景|依据|建议)|方案(?:比选|建议)|风险(?:评估|提示|分析)|recommendation|risks?|background"
        r"|options considered",
    )
)
_PUBLIC = re.compile(PUBLISHED)


def board_paper(about: Window) -> Judgement | None:
    """A resolution or a paper of the board or of the managers: four of its fields, and how they voted or what was resolved."""
    found = seen(_BOARD, about.labels)
    voted = _VOTE.search(about.text) is not None
    if found < (4 if voted else 6) or _PUBLIC.search(about.text):
        return None
    return Judgement(value="board", confidence=min(97, 74 + 4 * (found - 4)), facts={"labels": str(found)})


STRATEGY = Shape(
    kind="strategy",
    labels=(
        r"(?:总体|发展|战略|经营|年度)?目标|(?:strategic )?(?:goals|objectives)|targets",
        r"战略(?:定位|方向|思路|举措|任务|路径)|strategic (?:priorities|initiatives|direction)",
        r"(?:市场|行业|竞争|宏观|内外部)(?:环境)?(?:分析|预测|格局|态势)|market (?:analysis|forecast|size)"
        r"|competitive (?:analysis|landscape)",
        r"竞争对手(?:分析)?|主要竞争者|competitors?",
        r"swot(?: ?分析| analysis)?|优势(?:与劣势)?|strengths|weaknesses",
        r"(?:商业|盈利|经营)模式|business model|revenue model",
        r"(?:营销|市场|销售|推广|产品|定价)(?:策略|战略|计划)|go[- ]to[- ]market|(?:marketing|sales|pricing) (?:plan|strategy)",
        r"(?:财务|收入|销售|利润|盈利)(?:预测|计划|目标)|financial (?:projections?|forecast|plan)|revenue forecast",
        r"(?:投资|资金)(?:计划|预算|需求|安排)|融资(?:计划|需求)|funding(?: required| needs)?|investment plan|use of funds",
        r"(?:实施|行动|工作)(?:步骤|计划|路线图|进度)|里程碑|重点工作|roadmap|milestones|action plan|implementation",
        r"风险(?:分析|评估|因素|控制|与对策)|risks?(?: and mitigation| analysis)?",
        r"(?:并购|收购|投资)(?:方向|标的|计划|对象)|acquisition targets?|m&a",
        r"(?:业务|产品|区域)布局|产品规划|product roadmap|organi[sz]ation",
    ),
    least=5,
    evidence=FIGURE,
    count=4,
)

FEASIBILITY = Shape(
    kind="feasibility",
    labels=(
        r"总论|项目(?:概况|背景|概述|名称)|(?:project )?(?:background|overview)|executive summary",
        r"(?:建设|项目)(?:必要性|的必要性)|need for the project|project rationale",
        r"市场(?:分析|预测|调查)|需求(?:分析|预测)|market (?:analysis|study|demand)|demand analysis",
        r"(?:建设|生产)规模|产品方案|plant capacity|production capacity|project size",
        r"(?:厂址|场址|建设地点|选址)(?:选择|方案|条件)?|site (?:selection|location)|location",
        r"(?:工艺|技术)(?:方案|路线)|设备(?:选型|方案)|technical (?:solution|feasibility|analysis)|technology",
        r"(?:公用工程|总图|土建|工程)(?:方案|设计)?|engineering|civil works",
        r"环境(?:保护|影响)(?:分析|评价)?|节能|environmental (?:impact|assessment)",
        r"(?:项目)?投资(?:估算|总额|概算)|总投资|(?:total )?investment|capital (?:cost|expenditure)|cost estimate",
        r"资金(?:筹措|来源)|融资方案|(?:sources of )?(?:funding|financing)",
        r"(?:财务|经济)(?:评价|分析|效益)|效益分析|financial (?:analysis|evaluation|feasibility)",
        r"(?:内部收益率|irr)|(?:投资)?回收期|(?:财务)?净现值|npv|payback(?: period)?|internal rate of return",
        r"(?:实施|建设)(?:进度|周期|计划)|implementation schedule|project schedule",
        r"(?:研究)?结论(?:与建议)?|conclusions?(?: and recommendations)?",
        r"建设(?:内容|单位|方案)|施工(?:部署|方案|进度|平面)|主要(?:设备|工程量)|design (?:basis|data)|construction plan",
    ),
    least=6,
    evidence=FIGURE,
    count=3,
)

LETTER_OF_INTENT = Shape(
    kind="intent",
    labels=(
        r"甲方|(?:意向)?(?:投资|收购|买|转让|出让)方|party a|(?:prospective )?(?:buyer|purchaser|investor)",
        r"乙方|(?:目标公司|卖方|受让方|被投资方)|party b|seller|target(?: company)?|company",
        r"合作(?:内容|事项|范围|方式|背景|目标)|(?:proposed )?transaction|scope of co-?operation|purpose",
        r"(?:交易|收购|投资|转让|股权)(?:方式|价格|对价|金额|比例)|估值|(?:purchase )?price|valuation|consideration"
        r"|investment amount",
        r"(?:排他|独家)(?:期|条款|谈判)?|exclusivity|no[- ]shop",
        r"尽职调查|due diligence",
        r"保密(?:条款|义务|责任)?|confidentiality",
        r"(?:法律)?(?:效力|约束力)|不具(?:有)?法律约束力|binding effect|non-?binding",
        r"有效期(?:限)?|期限|term(?:ination)?|expiry",
        r"(?:后续|下一步)(?:安排|工作)|正式(?:协议|合同)|definitive agreements?|closing|next steps|conditions precedent",
        r"争议(?:的)?解决|适用法律|governing law",
        r"(?:签字|盖章|签署)(?:日期)?|授权代表|signature|signed by",
    ),
    least=6,
    count=3,
)

INSIDERS = Shape(
    kind="insiders",
    labels=(
        r"(?:内幕信息)?知情人(?:姓名|名称)?|姓名|name(?: of insider)?|insider",
        r"身份证(?:号码?)?|证件号码?|national id|date of birth",
        r"知悉(?:内幕信息)?(?:时间|地点|方式|途径)|date(?: and time)? (?:obtained|of access)|obtained access",
        r"内幕信息(?:内容|所处阶段|事项)?|inside information|reason for (?:access|being an insider)|project",
        r"(?:所在)?单位|部门|职务|company|function|position",
        r"登记(?:时间|人)|报备|date drawn up|updated|date ceased",
        r"(?:与公司)?关系|亲属关系|relationship",
    ),
    least=4,
    evidence=r"(?:19|20)\d\d[-/.年]\d{1,2}|\d{17}[\dx]",
    count=3,
)

# ── trade ──

TENDER = Shape(
    kind="tender",
    labels=(
        r"(?:招标)?项目(?:名称|编号)|标段|(?:tender|bid|project) (?:name|title|no\.?|number|reference)",
        r"投标(?:人|单位)(?:名称)?|供应商(?:名称)?|bidders?(?: name)?|tenderers?",
        r"(?:投标)?(?:总)?报价(?:\(.{1,8}\))?|投标(?:总)?价|投标函|(?:total )?(?:bid|tender|offer) (?:price|sum|amount)"
        r"|our (?:price|bid)",
        r"标底|(?:最高)?(?:投标)?限价|控制价|reserve price|engineer'?s estimate|ceiling price",
        r"评标(?:委员会|得分|办法|专家|结果)|(?:技术|商务|价格|综合)(?:得分|评分|分)|(?:technical|commercial|price"
        r"|total) score|evaluation",
        r"开标(?:时间|日期|地点)|投标截止(?:时间)?|(?:bid|tender) (?:opening|closing)(?: date)?|submission deadline",
        r"投标保证金|履约保证金|bid (?:bond|security)",
        r"(?:交货|工|服务|质保)期|delivery (?:time|period)|completion(?: period)?|validity",
        r"(?:分项|明细)报价|单价|综合单价|unit price|price schedule|bill of quantities",
        r"(?:技术|商务)(?:偏离表|响应|方案)|(?:technical|commercial) (?:proposal|deviation)",
        r"(?:中标)?候选人(?:排序)?|排名|ranking|recommended bidder",
        r"(?:成本|利润|毛利)(?:测算|率|分析)?|底价|cost (?:estimate|build-?up)|margin|walk-?away price",
    ),
    least=4,
    evidence=AMOUNT,
    count=2,
)

QUOTATION = Shape(
    kind="quotation",
    labels=(
        r"(?:客户|买方|需方|询价)(?:名称|单位|单位名称)?|致|customer(?: name)?|client|buyer|attention|attn\.?|to|bill to"
        r"|quote(?:d)? (?:to|for)",
        r"(?:报价)(?:单号|编号|日期|有效期)|有效期|(?:quotation|quote|offer) (?:no\.?|number|date)|valid(?:ity)?(?: until)?",
        r"(?:产品|货物|物料|服务)?(?:名称|型号|规格(?:型号)?)|品名|description|item|product|model",
        r"数量|qty|quantity",
        r"(?:含税|未税|不含税)?(?:单价|价格)(?:\(.{1,8}\))?|unit price|price(?: each)?|rate",
        r"(?:总价|金额|合计|小计|总计)(?:\(.{1,8}\))?|total(?: price| amount)?|amount|subtotal",
        r"(?:付款|支付|结算)(?:方式|条件|条款)|账期|payment(?: terms?)?|terms of payment",
        r"交(?:货|付)(?:期|时间|地点|方式)|delivery(?: time| terms?)?|incoterms|lead time",
        r"折扣(?:率)?|返(?:点|利)|优惠(?:价)?|discount|rebate",
        r"税率|运费|质保(?:期)?|tax|vat|freight|warranty",
    ),
    least=5,
    must=(
        r"(?m)客户|买方|需方|(?:^|\n|\t|\|)(?:致|to)[ :]|customer|client|buyer|attn|attention|bill to",
        r"付款|账期|结算|支付|payment|net \d\d",
    ),
    evidence=AMOUNT,
    count=2,
)

SUPPLIERS = Shape(
    kind="suppliers",
    labels=(
        r"(?:供应商|供货商|合作伙伴|合作单位)(?:名称|全称)?|(?:supplier|vendor|partner)(?: name)?",
        r"(?:供应商|供货商)(?:编号|编码|代码)|(?:supplier|vendor) (?:id|no\.?|code|number)",
        r"联系人|contact(?: person| name)?",
        r"(?:联系)?电话|手机号?码?|联系方式|phone|telephone|mobile|e-?mail",
        r"(?:供货|供应|采购|主营|合作)(?:物料|产品|品类|范围|内容)|category|materials? supplied|products?",
        r"(?:供应商)?(?:等级|级别|评级|评分)|合格供方|rating|tier|grade|score",
        r"(?:账期|付款方式|结算方式)|payment terms?",
        r"(?:年)?采购(?:额|金额)|采购价|annual spend|spend|purchase (?:price|volume)",
        r"开户(?:行|银行)|(?:银行)?账号|bank account|税号|tax id",
        r"合作(?:起始|开始)?(?:时间|日期|年限)|since|contract (?:start|end|expiry)",
    ),
    least=4,
    evidence=PHONE,
    count=3,
    heading=False,
)

SALES_NETWORK = Shape(
    kind="sales-network",
    labels=(
        r"(?:经销商|代理商|渠道商?|加盟商|服务网点|网点|门店)(?:名称|编号|全称)?|(?:dealer|distributor|reseller|agent"
        r"|outlet)(?: name| id)?",
        r"(?:销售|代理|授权|服务)?(?:区域|大区|省份|城市|范围)|territory|region",
        r"(?:负责人|联系人|区域经理|客户经理)|contact(?: person| name)?|account (?:manager|owner)|manager",
        r"(?:年度?|月度?|季度)?(?:销售|销量|任务|回款)(?:额|量|指标|目标|任务)?|(?:sales )?(?:target|quota)|annual (?:sales"
        r"|volume)|revenue",
        r"(?:代理|结算|供货|提货)价|折扣(?:率)?|返(?:点|利)(?:比例)?|discount|margin|rebate|commission",
        r"(?:代理|授权)(?:级别|期限|产品)|(?:dealer )?(?:level|tier)|contract (?:end|expiry)",
        r"(?:意向|需求)(?:产品|型号|数量|金额|描述)|客户需求|特殊要求|(?:customer )?requirements?|needs",
        r"(?:预计|预期)(?:成交|签约|采购)(?:时间|金额|量|日期)|expected (?:close|value|revenue|volume)(?: date)?|close date",
        r"(?:销售|商机|跟进)(?:阶段|状态|进展)|(?:sales )?stage",
        r"成交概率|赢率|赢单率|probability",
        r"商机(?:名称|编号)|opportunity(?: name| id)?",
        r"竞争(?:对手|品牌|情况)|competitors?",
        r"客户名称|customer(?: name)?|account(?: name)?",
    ),
    least=4,
    evidence=rf"{AMOUNT}|{PHONE}|\d{{1,3}}(?:\.\d+)?%",
    count=4,
    heading=False,
)

TRANSACTIONS = Shape(
    kind="transactions",
    labels=(
        r"(?:交易|订单|支付|消费|入账)(?:时间|日期)|transaction (?:date|time)|order date|posting date|value date",
        r"(?:交易|订单|流水)(?:单)?号|transaction (?:id|no\.?|ref(?:erence)?)|order (?:id|no\.?|number)",
        r"(?:交易|支付|消费|订单|发生)?金额|借方(?:发生额)?|贷方(?:发生额)?|收入|支出|amount|debit|credit",
        r"(?:账户|当前)?余额|balance",
        r"(?:对方|对手|收款|付款)(?:户名|账号|账户|人|方|名称)|交易对手|counterparty|beneficiary|payee|payer|merchant",
        r"(?:客户|用户|会员|买家|收货人)(?:姓名|名称|编号|号|id|账号)?|(?:customer|user|member|buyer)(?: name| id)?",
        r"(?:交易|支付)(?:类型|方式|渠道|状态)|摘要|用途|transaction type|payment method|status",
        r"(?:银行)?(?:卡号|账号)|card (?:no\.?|number)|account (?:no\.?|number)",
        r"(?:收货)?地址|手机号?码?|联系电话|shipping address|phone",
    ),
    least=5,
    evidence=r"(?:19|20)\d\d[-/.年]?(?:0?[1-9]|1[0-2])[-/.月]?(?:0?[1-9]|[12]\d|3[01])(?:[^\n]|\n(?=[^\n])){0,60}?\d{1,9}\.\d{2}(?!\d)",
    count=5,
    heading=False,
)

# ── official documents, audits, rules ──

_NUMBER = re.compile(r"[\u4e00-\u9fff]{1,12}[〔\[(【](?:19|20)\d\d[〕\])】] ?(?:第 ?)?\d{1,4} ?号")
_ADDRESSEE = re.compile(r"\n *(?:各)?[\u4e00-\u9fff、,()\d]{2,60}:[ ]*(?:\n|$)")
_CLOSING = re.compile(
    r"特此(?:通知|通报|函复|函告|报告|请示|批复|复函|公告)|妥否[,、]?(?:请|敬请)|请(?:予)?(?:批示|审批|批复|研究函复)|此复"
    r"|抄送:|抄报:|印发|签发人|联系人:"
    r"|主题词|(?:19|20)\d\d ?年 ?\d{1,2} ?月 ?\d{1,2} ?日"
)
_KINDS_OF_DOCUMENT = re.compile(r"关于[^\n]{2,80}(?:的)?(?:通知|通报|报告|请示|批复|函|复函|意见|决定|纪要|公告|议案)")


def official_document(about: Window) -> Judgement | None:
    """A document of an authority or of a company in the form of GB/T 9704: its number, its title, whom it is for, its end."""
    number, title = _NUMBER.search(about.text), _KINDS_OF_DOCUMENT.search(about.text)
    if number is None or title is None or title.start() < number.start() - 200:
        return None
    signs = (_ADDRESSEE.search(about.text, title.start()), *_CLOSING.findall(about.text))
    found = sum(1 for sign in signs if sign)
    return Judgement(value=number.group(), confidence=min(95, 70 + 5 * found)) if signs[0] and found >= 3 else None


_OPINION = as_labels(
    (
        r"审计意见|opinion",
        r"形成审计意见的基础|basis for (?:(?:un)?qualified )?opinion",
        r"关键审计事项|key audit matters?",
        r"管理层(?:和治理层)?对财务报表的责任|responsibilities of (?:management|the directors)|management'?s responsibilit",
        r"注册会计师对财务报表审计的责任|auditor'?s responsibilit",
        r"(?:中国)?注册会计师|(?:engagement )?partner|certified public accountants?|chartered accountants?",
        r"审计(?:概况|范围|依据|目的|期间)|audit (?:scope|period|objectives?)",
        r"审计(?:发现|结论|结果|评价)|(?:audit )?(?:findings?|conclusions?|observations?)",
        r"被审计单位|审计对象|auditee|audited entity",
        r"(?:存在|发现)的?(?:主要)?问题|(?:问题|事实)描述|issues?(?: identified)?|root cause",
        r"(?:审计|整改)(?:建议|意见|要求|措施)|recommendations?|management response|corrective actions?",
        r"(?:责任(?:部门|人)|整改期限|完成时间)|risk rating|due date|responsible",
        r"审计组(?:长|成员)?|审计人员|auditors?|prepared by",
    )
)
_AUDITED = re.compile(r"我们审计了|审计组|审计期间|被审计单位|we have audited|internal audit|audit committee|audit period")


def audit_report(about: Window) -> Judgement | None:
    """A report of auditors, of accounts or internal: four of its headings, and what was audited. One that an issuer has
    published bears its number of announcement and is none."""
    found = seen(_OPINION, about.labels)
    if found < 4 or not _AUDITED.search(about.text) or _PUBLIC.search(about.text):
        return None
    return Judgement(value="audit", confidence=min(97, 74 + 4 * (found - 4)), facts={"labels": str(found)})


INTERNAL_RULES = Shape(
    kind="rules",
    labels=(
        r"(?:文件|制度)(?:编号|编码)|document (?:no\.?|number|id)|policy (?:no\.?|number)",
        r"版(?:本|次)(?:号)?|version|revision",
        r"(?:编制|起草|拟制)(?:人|部门)?|prepared by|author|owner|policy owner",
        r"(?:审核|会签)(?:人|部门)?|reviewed by",
        r"(?:批准|签发|审批)(?:人)?|approved by",
        r"(?:生效|实施|发布|颁布)日期|effective date|issue date|date of issue",
        r"(?:受控|发放)(?:状态|范围|号)|distribution|classification",
        r"目的|purpose",
        r"(?:适用)?范围|scope",
        r"职责|responsibilities",
    ),
    least=6,
    must=(r"本(?:公司|集团|单位|企业|厂|院)|our company|the company|this policy|this procedure|employees",),
    count=4,
)

_EMBARGO_REACH = 1500
"""Characters at the beginning of a document in which an embargo stands."""


def embargoed(candidate: Candidate) -> Judgement | None:
    """An embargo with its time, at the beginning of the text it holds back."""
    return Judgement(value="embargo") if candidate.part.start and candidate.start < _EMBARGO_REACH else None


# ── conversations ──

_SAID = re.compile(
    r"(?m)^(?:\[?(?:20)?\d\d[-/.年]\d{1,2}[-/.月]\d{1,2}日?,? ?(?:上午"
    r"|下午)?\d{1,2}:\d\d(?::\d\d)?(?: ?[ap]m)?\]? ?[-—]? ?[^\n:]{1,30}(?::|$)"
    r"|[^\n:]{1,30} {1,3}(?:20)?\d\d[-/.]\d{1,2}[-/.]\d{1,2} \d{1,2}:\d\d(?::\d\d)?\s*$)"
)
_LEAST_SAID = 8


def chat_export(about: Window) -> Judgement | None:
    """A conversation saved from a messenger: eight lines that begin with a time and a name, or end with them."""
    lines = [found.group() for found in _SAID.finditer(about.text.replace("\t", " "))]
    speakers = {re.sub(r"[\d:/.,\-\[\]年月日 ]|上午|下午|[ap]m", "", line) for line in lines}
    if len(lines) < _LEAST_SAID or not 2 <= len(speakers) <= max(12, len(lines) // 2):
        return None
    return Judgement(value="chat", facts={"lines": str(len(lines))})


_KINDS: Mapping[str, Shape] = {
    "strategy_plan": STRATEGY,
    "feasibility_study": FEASIBILITY,
    "letter_of_intent": LETTER_OF_INTENT,
    "insider_list": INSIDERS,
    "tender": TENDER,
    "quotation": QUOTATION,
    "supplier_table": SUPPLIERS,
    "sales_network": SALES_NETWORK,
    "sales_pipeline": replace(SALES_NETWORK, kind="sales-pipeline", count=2),
    "transactions": TRANSACTIONS,
    "internal_rules": INTERNAL_RULES,
}

BUSINESS_VALIDATORS: Mapping[str, Validator] = MappingProxyType(
    {
        **{name: by_shape(shape) for name, shape in _KINDS.items()},
        "board_paper": by_window(board_paper, where=headed),
        "official_document": by_window(official_document, where=anywhere),
        "audit_report": by_window(audit_report, where=headed),
        "chat_export": by_window(chat_export, where=anywhere),
        "embargoed": embargoed,
    }
)
"""Validators by the name that a signature's meta gives."""

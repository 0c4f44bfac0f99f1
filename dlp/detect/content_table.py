"""What kinds of business content look like, as data: the words, and how many of them make the kind.

Each entry of a tuple is one concept, a regular expression over text in width NFKC, lower case and simplified
Chinese; a kind is told by how many different concepts stand together, never by how often one is repeated. The
statement lines are those of the Accounting Standards for Business Enterprises (财会〔2019〕6号, statement forms) and of
IAS 1; the elements of a contract those of article 470 of the Civil Code (民法典).
"""

from dataclasses import dataclass

AMOUNT = (
    r"(?<![\w.-])[-(]?[¥$€£]?(?:\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d{1,12}\.\d{1,2}|\d{3,12})"
    r"(?![\w.]|[-/年]\d|[年月日号条款页章])"
)
"""A figure of a table: with thousands separators, with decimals, or of three digits and more; no date, no article's number."""

PERSON = (
    r"(?<!\d)(?:(?:19|20)\d\d[-/.年](?:0?[1-9]|1[0-2])(?:[-/.月](?:0?[1-9]|[12]\d|3[01])日?)?|1[3-9]\d{9}|\d{17}[\dx]"
    r"|[234]\d{4}|\d{1,2}/\d{1,2}/(?:19|20)\d\d|\d{3}-\d{2}-\d{4})(?!\d)"
)
"""What a row about a person holds: a date (also as a spreadsheet's day number), a mobile number, an identity number."""

PHONE = r"(?<!\d)(?:1[3-9]\d{9}|0\d{2,3}-\d{7,8}|\(?\d{3}\)?[- ]\d{3}-\d{4}|\+\d{1,3}[ -]\d[\d -]{6,12}\d)(?!\d)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """A table told by its heading: `least` of `columns` near the anchor, then `rows` matches of `row`."""

    columns: tuple[str, ...]
    least: int
    row: str
    rows: int


PAYROLL = Columns(
    columns=(
        r"姓\s?名|员工姓名|employee(?: name)?|name|full name",
        r"工号|员工编号|职工编号|employee (?:id|no\.?|number)",
        r"部门|科室|department|dept\.?",
        r"基本工资|基本薪资|底薪|base (?:salary|pay)|basic (?:salary|pay)",
        r"岗位工资|职务工资|级别工资|薪级工资|grade pay",
        r"绩效工资|绩效奖金|奖金|提成|bonus|commission",
        r"津贴|补贴|餐补|交通补[助贴]|岗位津贴|allowances?",
        r"加班费|加班工资|overtime(?: pay)?",
        r"应发(?:工资|合计|金额)?|gross (?:pay|salary)|total earnings",
        r"社保|养老保险|医疗保险|失业保险|五险一金|social (?:security|insurance)|insurance",
        r"(?:住房)?公积金|provident fund|401\(?k\)?|pension",
        r"个人?所得税|个税|代扣税|income tax|tax|withholding",
        r"扣款|缺勤扣款|考勤扣款|应扣合计|deductions?",
        r"实发(?:工资|合计|金额)?|net (?:pay|salary)|take[- ]home(?: pay)?",
    ),
    least=5,
    row=AMOUNT,
    rows=9,
)

ROSTER = Columns(
    columns=(
        r"姓\s?名|员工姓名|(?:first|last|full|employee) name|name",
        r"性\s?别|gender|sex",
        r"工号|员工编号|职工编号|employee (?:id|no\.?|number)|staff (?:id|no\.?)",
        r"部门|科室|department|dept\.?",
        r"岗位|职务|职位|职称|position|job title|title",
        r"入职(?:日期|时间)|到岗日期|参加工作时间|hire date|date hired|start date|date of joining",
        r"学历|毕业院校|专业|education|degree",
        r"身份证号?码?|证件号码|ssn|social security (?:no\.?|number)|national id",
        r"(?:联系)?电话|手机号?码?|联系方式|phone|mobile|telephone",
        r"籍贯|民族|户籍(?:地址)?|nationality",
        r"政治面貌",
        r"出生(?:日期|年月)|生日|date of birth|dob|birth date",
        r"婚姻状况|marital status",
        r"紧急联系人|emergency contact",
        r"合同(?:期限|到期|类型)|转正日期|contract (?:type|end)",
        r"(?:家庭)?住址|家庭地址|home address",
        r"薪资|工资|月薪|年薪|salary",
    ),
    least=5,
    row=PERSON,
    rows=3,
)

CUSTOMERS = Columns(
    columns=(
        r"客户名称|客户姓名|客户|customer(?: name)?|client(?: name)?|account name",
        r"客户编号|客户代码|客户号|customer (?:id|no\.?|number)|account (?:no\.?|number)",
        r"联系人|contact(?: person| name)?",
        r"联系电话|电话|手机号?码?|phone|mobile|telephone",
        r"地址|客户地址|address",
        r"客户等级|客户级别|客户类型|segment|tier",
        r"成交金额|销售额|合同金额|累计消费|订单金额|revenue|annual (?:sales|spend)|contract value",
        r"付款方式|账期|结算方式|payment terms",
        r"信用额度|欠款|应收余额|credit limit|balance due",
        r"成交价|折扣|报价|discount|unit price",
    ),
    least=4,
    row=PHONE,
    rows=3,
)

STATEMENT_TITLES = (
    r"资产负债表|财务状况表|balance sheets?|statements? of financial position",
    r"利润表|损益表|利润及利润分配表|income statements?|profit and loss(?: account| statement)?"
    r"|statements? of (?:operations|comprehensive income)",
    r"现金流量表|cash flow statements?|statements? of cash flows?",
    r"(?:所有者|股东)权益变动表|statements? of changes in equity",
    r"合并(?:财务)?报表|财务报表|consolidated financial statements",
)

STATEMENT_LINES = (
    r"货币资金|cash and (?:cash|bank)(?: equivalents)?",
    r"应收账款|应收票据|(?:accounts|trade) receivables?",
    r"预付(?:款项|账款)|prepaid expenses|prepayments",
    r"存货|inventor(?:y|ies)",
    r"流动资产合计|total current assets",
    r"固定资产(?:净值|原价)?|property, plant and equipment|fixed assets",
    r"在建工程|无形资产|goodwill|intangible assets",
    r"资产(?:总计|合计)|total assets",
    r"短期借款|short[- ]term (?:debt|borrowings|loans)",
    r"应付账款|应付票据|(?:accounts|trade) payables?",
    r"应付职工薪酬|应交税费|accrued (?:expenses|liabilities)",
    r"流动负债合计|total current liabilities",
    r"长期借款|long[- ]term (?:debt|borrowings|loans)",
    r"负债(?:总计|合计)|total liabilities",
    r"实收资本|股本|资本公积|share capital|paid[- ]in capital|common stock",
    r"未分配利润|盈余公积|retained earnings",
    r"(?:所有者|股东)权益(?:合计|总计)|total (?:equity|(?:shareholders|stockholders)['’]? equity)",
    r"营业(?:总)?收入|主营业务收入|(?:net |total )?revenues?|net sales|turnover",
    r"营业(?:总)?成本|主营业务成本|cost of (?:sales|revenues?|goods sold)",
    r"税金及附加|gross (?:profit|margin)|毛利",
    r"销售费用|管理费用|财务费用|研发费用|operating expenses|(?:selling|administrative) expenses|research and development",
    r"营业利润|operating (?:income|profit)|ebitda?",
    r"利润总额|(?:profit|income|loss) before (?:income )?tax(?:es)?",
    r"所得税费用|income tax(?: expense)?|provision for income taxes",
    r"净利润|net (?:income|profit|loss|earnings)",
    r"每股收益|earnings per share",
    r"(?:经营|投资|筹资)活动产生的现金流量净额|net cash (?:provided|used|from)",
    r"depreciation(?: and amorti[sz]ation)?|累计折旧|interest expense|利息支出",
)

DISCLOSED = r"归属于上市公司股东|(?:季度|年度)报告(?:全文|正文|摘要)|\bform 10-[kq]\b|securities and exchange commission"
"""Words of periodic reports in the form of the China Securities Regulatory Commission's rules on disclosure and of the SEC's."""

BUDGET_WORDS = (  # the rare ones first: prose is told by what it lacks
    r"执行率|完成率|% (?:used|of budget)",
    r"差异(?:额|率)?|variance",
    r"决算(?:金额|数|额)",
    r"(?:预算|费用)科目|支出项目|line item|cost cent(?:er|re)|account code",
    r"(?:本|上|下)年(?:预算|决算|度预算)|prior year|next year|fy ?20?\d\d",
    r"实际(?:金额|数|发生额?|支出)|actuals?",
    r"合计|总计|total",
    r"预算(?:金额|数|额)|budget(?:ed)?(?: amount)?",
)

RECORD_WORDS = (
    r"姓\s?名|(?:employee|full) name",
    r"性\s?别|gender",
    r"民\s?族|籍\s?贯|nationality",
    r"出生(?:年月|日期)|date of birth",
    r"政治面貌|入党时间",
    r"身份证号?码?|social security number|ssn",
    r"学历|学位|毕业院校|education",
    r"婚姻状况|marital status",
    r"家庭(?:成员|住址|主要成员)|next of kin|emergency contact",
    r"工作(?:经历|简历|履历)|employment history",
    r"奖惩(?:情况|记录)?|考核结果|disciplinary",
    r"职务|职称|岗位|job title|position",
    r"工资级别|薪级|salary",
)

REVIEW_WORDS = (
    r"被考核人|被评估人|被评价人|employee(?: name)?",
    r"考核(?:周期|期间|时间)|评估周期|review period|appraisal period",
    r"自评(?:分|得分)?|自我评价|self[- ](?:assessment|rating|evaluation)",
    r"(?:上级|主管|直接上级|经理)(?:评分|评价|评语|评定)|manager(?:'s)? (?:comments|rating|assessment)",
    r"考核指标|绩效指标|kpi|关键绩效|objectives?|goals?",
    r"权重|weight(?:ing)?",
    r"(?:考核|绩效|综合)?(?:得分|总分)|score",
    r"(?:考核|绩效)等级|(?:overall|performance) rating",
    r"改进(?:计划|建议)|development plan|areas for improvement",
    r"考核人|评估人|reviewer|appraiser",
)

CONTRACT_WORDS_ZH = (
    r"(?:合同|协议)编号",
    r"签订(?:日期|时间|地点)|签约(?:日期|地点)",
    r"违约责任|违约金",
    r"争议(?:的)?解决|仲裁委员会|有管辖权的人民法院|提起诉讼",
    r"本(?:合同|协议)(?:书)?(?:正本)?一式",
    r"法定代表人|授权代表|委托代理人",
    r"\((?:盖章|签章|签字|公章)\)|签字盖章|(?:签字|盖章)[:：]",
    r"不可抗力",
    r"(?:合同|协议|服务|货款|租金|工程)(?:总)?(?:金额|价款|总价|总额|价格)|人民币[(（]?大写",
    r"(?:付款|支付|结算)(?:方式|期限|条件)",
    r"(?:签字|盖章|签订|签署)(?:盖章)?之日起(?:生效|有效)|自双方",
    r"鉴于|经(?:甲乙)?双方(?:友好)?协商|达成如下(?:协议|合同|条款)",
    r"交货(?:时间|地点|方式|期限)|交付(?:时间|方式|期限)|验收(?:标准|方式)|服务期限|租赁期限|合同期限",
    r"保密(?:条款|义务|责任)|知识产权归属",
)

PARTIES_ZH = (
    ("甲方", "乙方"),
    ("买方", "卖方"),
    ("需方", "供方"),
    ("发包方", "承包方"),
    ("发包人", "承包人"),
    ("出租方", "承租方"),
    ("出租人", "承租人"),
    ("委托方", "受托方"),
    ("委托人", "受托人"),
    ("转让方", "受让方"),
    ("出借人", "借款人"),
    ("披露方", "接收方"),
)

CONTRACT_WORDS_EN = (
    r"\bwhereas\b",
    r"now,? therefore",
    r"in witness whereof",
    r"hereinafter|(?:the|each a) [\"“]party|collectively,? the [\"“]parties",
    r"govern(?:ed by|ing law)",
    r"indemnif",
    r"\btermination\b|\bterminate this\b",
    r"force majeure",
    r"entire agreement",
    r"severab",
    r"counterparts",
    r"effective date",
    r"payment terms|purchase price|\bfees?\b|\bcompensation\b|consideration",
    r"\bnotices?\b",
    r"confidential information|confidentiality",
    r"\bassign(?:ment)?\b",
    r"\bwarrant(?:y|ies|s)\b",
)

OPEN_LICENCE = (
    r"spdx-license-identifier|general public licen[sc]e|apache licen[sc]e|mit licen[sc]e|mozilla public licen[sc]e"
    r"|bsd.{0,12}licen[sc]e"
    r"|permission is hereby granted|redistribution and use in source|creative commons|public domain|open[- ]?source|free software"
    r"|licensed under|under the terms of|contributor licen[sc]e|木兰宽松许可证|mulan psl|开源"
)
"""Words of what is meant to be public: code and agreements under such a licence are no secret."""

PROPRIETARY = (
    r"proprietary|unauthori[sz]ed (?:copying|use|distribution|reproduction)|trade secret|strictly confidential"
    r"|all rights reserved"
    r"|company confidential|internal use only|版权所有|保留所有权利|未经(?:授权|许可|书面)|商业秘密|机密"
)
"""Words of a source file's header that claim it."""

MINUTES_WORDS = (
    r"会议时间|时间[:：]|date[:：]",
    r"会议地点|地点[:：]|(?:location|venue)[:：]",
    r"主持人?[:：]|chair(?:ed by|man|person)?[:：]",
    r"(?:出席|参会|参加|与会)(?:人员|领导|董事|单位)?[:：]|(?:attendees|present|participants)[:：]",
    r"列席(?:人员)?[:：]|缺席(?:人员)?[:：]|(?:apologies|absent)[:：]",
    r"记录人?[:：]|记录员|minutes taken by|secretary[:：]",
    r"会议(?:议题|议程|内容)|议题[一二三1-9:：]|agenda",
    r"会议(?:认为|决定|要求|指出|强调|同意|议定)|形成如下(?:决议|意见)|(?:resolved|agreed|decided) (?:that|to)|action items?",
)

BOM = Columns(
    columns=(
        r"料号|物料(?:编码|编号|代码)|零件号|part (?:no\.?|number)|item (?:no\.?|number)",
        r"物料(?:名称|描述)|零件名称|品名|(?:part|item) description|description",
        r"规格(?:型号)?|型号|specification",
        r"用量|单台用量|数量|qty|quantity(?: per)?",
        r"供应商|生产厂家|制造商|supplier|vendor|manufacturer",
        r"单价|成本|采购价|unit (?:price|cost)",
        r"替代料|损耗率|位号|reference designator|ref ?des|substitute|scrap",
        r"版本|层级|bom (?:level|version)|revision",
    ),
    least=5,
    row=r"(?<!\w)[a-z0-9]{2,}[-._][a-z0-9][\w.-]{2,}|" + AMOUNT,
    rows=9,
)

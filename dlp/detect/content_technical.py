"""Papers of research, of production and of the network, as data and as the checks that tables of parameters need.

Labels as in `dlp.detect.content_business`. The title block is that of GB/T 10609.1-2008 and ISO 7200; the commands of
routers and firewalls those of the makers' configuration guides.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType

from dlp.detect.content_shape import (
    FIGURE,
    PUBLISHED,
    Shape,
    Window,
    as_labels,
    at_least,
    begins_cell,
    by_shape,
    by_window,
    headed,
    seen,
)
from dlp.detect.evidence import Candidate, Judgement, Validator
from dlp.model import Zone

UNIT = (
    r"(?:℃|°c|°f|k?pa|mpa|bar|psi|rpm|r/min|转/分|min|分钟|小时|h|sec|秒|ms|kg|g/l|mg/l|g|ml|l|升|mm|cm|μm|um|nm|m/s|m/min"
    r"|kw|w|kv|v|ma|a|hz|khz|"
    r"n·m|ppm|%|份|phr|mol|cp|mpa·s|torr|sccm)"
)
_QUANTITY = rf"(?<![\w.])\d{{1,6}}(?:\.\d{{1,4}})?(?: ?(?:±|~|-|–|至|to) ?\d{{1,6}}(?:\.\d{{1,4}})?)? ?{UNIT}(?![a-z])"
"""A figure with its unit, perhaps a range."""

# ── research and development ──

RESEARCH_PLAN = Shape(
    kind="research",
    labels=(
        r"(?:项目|课题)(?:名称|编号)|project (?:title|name|no\.?|number|code)",
        r"(?:项目|课题)?(?:负责人|组长|承担单位|组成员|参加人员|主持人)|principal investigator|project (?:lead(?:er)?"
        r"|manager)|team(?: members)?",
        r"(?:主要)?(?:研究|研发|开发)(?:内容|目标|方案|计划|任务)|(?:research|development) (?:objectives?|plan|tasks?"
        r"|content)|work packages?|objectives?",
        r"(?:主要)?技术(?:指标|参数|要求)|考核指标|technical (?:targets|specifications?|requirements)|performance targets",
        r"技术(?:路线|方案|关键|难点)|关键技术(?:问题)?|technical (?:approach|route)|methodology|key technolog(?:y|ies)",
        r"创新点|(?:先进性|创新性)(?:分析)?|innovations?|novelty",
        r"(?:进度|时间|计划)(?:安排|进度|节点)|(?:项目)?里程碑|schedule|milestones|timeline|gantt",
        r"(?:经费|研发)(?:预算|概算|投入|来源)|budget|funding",
        r"预期(?:成果|目标|效果)|成果形式|expected (?:results|outcomes)|deliverables",
        r"(?:国内外)?(?:研究)?(?:现状|背景)|立项(?:背景|依据|意义|目的)|state of the art|background|rationale",
        r"(?:实验|试验)(?:方案|数据|结果|记录)|(?:experimental?|test) (?:plan|data|results)",
        r"知识产权(?:归属|计划)?|专利(?:布局|检索|申请)|patent (?:strategy|landscape)|intellectual property",
    ),
    least=5,
    evidence=FIGURE,
    count=3,
)

TECHNICAL_RENOVATION = Shape(
    kind="renovation",
    labels=(
        r"(?:技改|改造|项目)(?:项目)?(?:名称|编号|概况|内容)|project (?:name|title|no\.?)",
        r"改造(?:背景|原因|必要性|目的|依据|范围|方案|措施)|(?:现状|存在)(?:及)?(?:问题|分析|情况)?|current (?:state"
        r"|condition)|reasons? for|need",
        r"改造(?:前后)?(?:对比|效果|目标)|预期(?:效果|效益)|expected (?:benefits?|savings)|targets?",
        r"(?:主要)?(?:设备|材料)(?:清单|选型|购置)|equipment(?: list)?|new equipment",
        r"(?:投资|费用|改造)(?:估算|预算|概算|金额|费用)|总投资|investment|cost(?: estimate)?|capex",
        r"(?:施工|实施|停产|停机)(?:进度|计划|方案|周期|时间)|schedule|shutdown(?: plan| window)?|implementation",
        r"(?:产能|能耗|节能|效率)(?:提升|分析|指标|变化)?|(?:capacity|energy|efficiency)(?: gain| saving| increase)?|throughput",
        r"(?:经济)?效益(?:分析)?|投资回收期|payback|return on investment|roi",
        r"(?:安全|环保)(?:措施|评价|风险)|风险(?:分析|控制)?|safety|risks?",
        r"(?:申请|实施|责任)(?:部门|车间|人|单位)|负责人|owner|department|plant|line",
    ),
    least=5,
    evidence=FIGURE,
    count=3,
)

TEST_REPORT = Shape(
    kind="test-report",
    labels=(
        r"(?:报告|试验|检测|检验|样品|测试)(?:编号|号)|(?:report|sample|test) (?:no\.?|number|id)",
        r"(?:样品|产品|试样|被测件|受检)(?:名称|型号|描述|单位)?|sample(?: description| name)?|product|device under test"
        r"|specimen",
        r"(?:检测|试验|检验|测试|判定)(?:依据|标准|方法)|test (?:method|standard|specification)|method|standard",
        r"(?:检测|试验|检验|测试)(?:项目|内容|用例)|test (?:item|case|parameter)s?|parameter|characteristic",
        r"(?:检测|试验|检验|测试|实测)(?:结果|数据|值)|(?:test )?results?|measured(?: value)?|actual",
        r"(?:技术|标准)?(?:要求|指标|限值|规定值)|specification|limits?|requirement|acceptance criteri(?:a|on)",
        r"(?:单项)?(?:结论|判定|评定)|检验结论|conclusion|verdict|pass/fail|judg(?:e)?ment",
        r"(?:检测|试验|检验|测试)(?:日期|时间|地点|环境|条件)|test (?:date|environment|conditions?)|date(?: tested)?",
        r"(?:检测|试验|检验|测试)(?:仪器|设备|人员|员|人)|主检|test (?:equipment|engineer)|tested by|operator|instruments?",
        r"(?:审核|批准|编制)(?:人)?|approved by|reviewed by|checked by",
        r"批号|数量|委托(?:单位|方)|(?:lot|batch)(?: no\.?| number)?|client|customer",
    ),
    least=6,
    evidence=FIGURE,
    count=4,
)

SOFTWARE_DESIGN = Shape(
    kind="design",
    labels=(
        r"(?:系统|总体|软件|技术|部署)(?:架构|结构)(?:设计|图)?|(?:system |software )?architecture|system overview",
        r"(?:模块|功能|子系统)(?:设计|划分|结构|说明)|module (?:design|description)|component (?:design|diagram)|components",
        r"(?:接口|api)(?:设计|定义|说明|列表)|(?:api|interface)s?(?: design| specification| definitions?)?",
        r"(?:数据库|数据)(?:设计|结构|模型|字典|表结构)|(?:database|data) (?:design|model|schema|dictionary)",
        r"(?:流程|时序|类|状态)(?:设计|图|说明)|(?:sequence|class|state|flow) (?:diagram|chart)s?",
        r"(?:算法|核心)(?:设计|描述|逻辑|说明)|algorithms?(?: description)?",
        r"(?:非功能|性能|安全|可靠性)(?:需求|设计|要求|指标)|non-?functional requirements|(?:security"
        r"|performance) (?:design|requirements)",
        r"(?:部署|运行)(?:环境|方案)|deployment|runtime environment",
        r"(?:异常|错误|出错)(?:处理|码)(?:设计)?|error (?:handling|codes)",
        r"(?:修订|变更|版本)(?:记录|历史)|revision history|change log|document history",
        r"(?:术语|缩略语|引用|参考)(?:定义|文件|资料)?|glossary|references|definitions",
    ),
    least=5,
    evidence=r"(?:19|20)\d\d[-/.年]\d{1,2}|\bv?\d\.\d\b",
    count=2,
)

# ── production ──

_STEP_WORDS = as_labels(
    (
        r"工序(?:号|名称|内容)?|工步|步骤|operation(?: no\.?)?|step(?: no\.?)?|process step",
        r"(?:工艺|控制|过程|设备)?参数(?:名称|值|要求)?|工艺条件|(?:process )?parameters?|conditions?|set ?point|variable",
        r"(?:产品|零件|物料)(?:名称|图号|型号|编号)|part (?:name|no\.?|number)|product(?: name)?",
        r"(?:设备|工装|模具|夹具|机台)(?:名称|型号|编号)?|equipment|machine|tooling|fixture|reactor",
        r"(?:温度|压力|时间|转速|流量|浓度|速度|电压|电流|真空度|ph值?|升温速率|保温时间)(?:\(.{1,8}\))?|temperature"
        r"|pressure|time|speed|flow(?: rate)?|vacuum",
        r"(?:工艺|技术|质量|检验)要求|质量控制点|(?:control|quality) (?:point|requirement)s?|tolerance|limits?",
        r"(?:编制|审核|批准|会签|工艺员)|prepared(?: by)?|approved(?: by)?|checked(?: by)?",
        r"(?:工艺)?(?:文件|规程|卡)(?:编号|号|版本)|版(?:本|次)|document (?:no\.?|number)|revision",
        r"(?:操作|作业)(?:要点|步骤|方法|说明)|注意事项|instructions?|remarks?|notes?",
    )
)
_QUANTITIES = re.compile(_QUANTITY)
_LEAST_QUANTITIES = 5
_PUBLIC = re.compile(PUBLISHED)


def process_parameters(about: Window) -> Judgement | None:
    """A process sheet: three of its fields, and five figures with their units."""
    found = seen(_STEP_WORDS, about.labels)
    if found < 3 or not at_least(_QUANTITIES, about.text, _LEAST_QUANTITIES) or _PUBLIC.search(about.text):
        return None
    return Judgement(value="process", confidence=min(97, 72 + 4 * (found - 3)), facts={"labels": str(found)})


_FORMULA_WORDS = as_labels(
    (
        r"(?:原料|原材料|组分|组成|成分|物料|材料|助剂|代号)(?:名称|代号|编码|编号)?|(?:raw )?materials?|components?"
        r"|ingredients?|constituents?",
        r"(?:配比|配方比例|用量|质量份(?:数)?|重量份(?:数)?|含量|比例|投料量|加入量|添加量|份数|百分比)(?:\(.{1,8}\)|[/ ]?%)?"
        r"|(?:wt|w/w|mass|weight|mol)\.? ?%|parts(?: by weight)?|phr|amount|content|ratio|percentage|dosage|charge",
        r"(?:供应商|厂家|牌号|型号|规格)|supplier|grade|trade name|cas(?: no\.?| number)?",
        r"(?:作用|功能|备注)|function|purpose|remarks?",
        r"(?:配方|产品)(?:编号|代号|名称|版本)|(?:formula(?:tion)?|recipe|product) (?:no\.?|name|code|id|number)",
        r"(?:合计|总计|总量)|total",
        r"(?:投料|加料|工艺)(?:顺序|步骤|条件)|(?:order of )?addition|mixing (?:procedure|steps)|procedure",
    )
)
_SHARE_ROW = re.compile(
    r"[^\W\d][^\n\t|,]{0,40}?[)%]?[\n\t|, ]{1,3}(?P<share>\d{1,3}(?:\.\d{1,4})?) ?(?:%|份|phr|wt%|g|kg)?(?=[\t| \r\n,]|$)"
)
"""A name and its share, in one row or, as tables of documents are read, in cells below each other."""
_LEAST_SHARES = 4


def formula_table(about: Window) -> Judgement | None:
    """A formula: what it is made of beside how much, in four rows; surer where the shares come to a hundred."""
    labels = seen(_FORMULA_WORDS, about.labels)
    both = all(pattern.search(about.labels) for pattern in _FORMULA_WORDS[:2])
    shares = [float(found["share"]) for found in _SHARE_ROW.finditer(about.text)]
    if not both or len(shares) < _LEAST_SHARES or _PUBLIC.search(about.text):
        return None
    whole = any(abs(sum(shares[:count]) - 100) < 1.0 for count in range(_LEAST_SHARES, min(len(shares), 60) + 1))
    if not whole and labels < 3:
        return None
    return Judgement(value="formula", confidence=(88 if whole else 74) + min(labels, 4), facts={"rows": str(len(shares))})


QUALITY_FILE = Shape(
    kind="quality",
    labels=(
        r"(?:产品|物料|零件)(?:名称|型号|批号|编号)|批(?:号|次)|生产批号|(?:lot|batch)(?: no\.?| number)?|part (?:name"
        r"|no\.?|number)|product",
        r"(?:生产|检验|投产|班次)(?:日期|时间|班组)?|班组|production date|shift|inspection date",
        r"(?:计划|实际|完成)?(?:产量|数量)|投入(?:数)?|(?:planned|actual) (?:output|quantity)|output|quantity",
        r"(?:一次)?(?:合格|良|直通|报废|不良|次品|优等品)率|yield|first pass yield|scrap(?: rate)?|defect rate|ppm",
        r"(?:不合格|不良|缺陷)(?:项|品|现象|数量|描述|类型)?|(?:non-?conformit(?:y|ies)|defects?)(?: description| type)?"
        r"|failure mode",
        r"(?:原因|根本原因)(?:分析)?|root cause(?: analysis)?|cause",
        r"(?:纠正|预防|改善|临时|围堵)(?:措施|对策)|corrective actions?|preventive actions?|containment",
        r"(?:检验|检查|控制)(?:项目|标准|方法|频次|结果|结论)|(?:inspection|control) (?:item|method|result|frequency)",
        r"(?:严重度|频度|探测度|rpn|cpk|ppk)|severity|occurrence|detection|control limit",
        r"(?:责任(?:人|部门)|检验员|质检员|操作工|班长)|inspector|operator|responsib(?:le|ility)",
        r"(?:设备|机台|工序|产线|生产线|车间)(?:名称|编号)?|line|machine|work ?center|process(?: step)?",
    ),
    least=5,
    evidence=FIGURE,
    count=5,
)

DRAWING_TITLE = Shape(
    kind="title-block",
    labels=(
        r"图(?:号|样代号|样标记|纸编号)|drawing (?:no\.?|number)|dwg\.? no\.?",
        r"比例|scale",
        r"(?:设计|制图|绘图)|drawn(?: by)?|designed(?: by)?|draughtsman",
        r"(?:校对|审核|复核)|checked(?: by)?",
        r"(?:工艺|标准化|会签)|stand(?:ardi[sz]ation)?|mfg|eng(?:ineering)? appr(?:oval)?",
        r"(?:批准|审定)|approved(?: by)?",
        r"(?:材料|材质)(?:标记)?|material",
        r"(?:重量|质量|单件)|weight|mass",
        r"(?:共 ?\d* ?张|第 ?\d* ?张)|sheet|size",
        r"(?:更改文件号|标记|处数|分区)|rev(?:ision)?|zone|ecn",
        r"(?:未注(?:公差|倒角|尺寸)|一般公差|技术要求)|(?:general )?tolerances?|unless otherwise specified|surface finish|finish",
        r"(?:投影|第一角|第三角)(?:画法)?|(?:first|third) angle(?: projection)?|projection",
    ),
    least=6,
    evidence=r"\d",
    count=4,
    heading=False,
)

# ── formulas of a spreadsheet ──

_CELL_FORMULA = re.compile(
    r"(?m)^=?[^\n]{0,60}(?:(?<![a-z])\$?[a-z]{1,2}\$?\d{1,5} ?[-+*/^] ?(?:\$?[a-z]{1,2}\$?\d|\d)|(?:sum|sumproduct|round"
    r"|average|if|vlookup)\(\$?[a-z]{1,2}\$?\d)"
)


def cell_formulas(about: Window) -> Judgement | None:
    """Formulas of cells: three lines of them."""
    return Judgement(value="cells") if at_least(_CELL_FORMULA, about.text, 3) else None


def _in_cells(candidate: Candidate) -> bool:
    """Where a spreadsheet's formulas are read to (its hidden texts), or where they are typed."""
    return candidate.part.zone in (Zone.HIDDEN, Zone.BODY)


# ── network and security configuration ──

_DEVICE_LINE = re.compile(
    r"(?m)^\s{0,4}(?:undo )?(?:hostname \S|sysname \S|interface (?:gigabit|fast|tengig|xgig|ten-gig|vlan|loopback|eth"
    r"|port-channel|bridge)|ip address \d"
    r"|ip route(?:-static)? \d|access-list \d|acl (?:number|name|advanced|basic)|(?:rule \d+ )?(?:permit|deny) (?:ip|tcp"
    r"|udp|source)"
    r"|enable (?:secret|password)|snmp-server community|snmp-agent community|router (?:ospf|bgp|rip)|ospf \d|bgp \d"
    r"|vlan (?:batch )?\d"
    r"|crypto (?:isakmp|ipsec|map)|ipsec (?:policy|proposal)|local-user \S|username \S+ (?:privilege|secret|password)|aaa"
    r"|line vty|user-interface vty"
    r"|nat (?:server|address-group|inside|outside)|security-policy|firewall zone|set (?:system|interfaces|security|firewall"
    r"|protocols) \S"
    r"|-a (?:input|output|forward|prerouting|postrouting) |:(?:input|output|forward) (?:accept|drop)|config (?:firewall"
    r"|system|vpn|user)"
    r"|set (?:srcintf|dstintf|srcaddr|dstaddr|psksecret)|switchport |spanning-tree |standby \d|vrrp )"
)
_LEAST_LINES = 6
_LEAST_KINDS = 4


def device_configuration(about: Window) -> Judgement | None:
    """The configuration of a router, switch or firewall: six lines of four kinds of its commands, with an address."""
    lines = [found.group().split()[:2] for found in _DEVICE_LINE.finditer(about.text)]
    kinds = {line[0] for line in lines}
    if len(lines) < _LEAST_LINES or len(kinds) < _LEAST_KINDS or "```" in about.text or not _ADDRESS.search(about.text):
        return None
    return Judgement(value="device", confidence=min(95, 72 + len(lines)), facts={"lines": str(len(lines))})


_ADDRESS = re.compile(r"(?<![\d.])(?:10|172|192|[1-9]\d{0,2})(?:\.\d{1,3}){3}(?![\d.])")

NETWORK_PLAN = Shape(
    kind="network-plan",
    labels=(
        r"(?:设备|主机|服务器)(?:名称|编号|型号)?|主机名|host(?:name)?|device(?: name)?|server(?: name)?|asset",
        r"(?:管理|内网|外网|业务|公网)?ip ?(?:地址)?(?:段|规划)?|地址段|(?:management )?ip(?: address)?|subnet|network",
        r"子网掩码|掩码|网关|(?:subnet )?mask|netmask|gateway",
        r"vlan(?: ?(?:id|号|编号))?",
        r"(?:端口|接口|服务端口)(?:号)?|ports?|interface|service",
        r"(?:机房|机柜|位置|机架)(?:号|位置)?|location|rack|site",
        r"(?:操作系统|系统)(?:版本)?|os(?: version)?|operating system|firmware",
        r"(?:安全域|区域|防火墙|策略)|(?:security )?zone|firewall(?: rule)?|policy",
        r"(?:用户名|账号|管理员)|user(?:name)?|admin|login",
        r"(?:用途|业务系统|应用)|purpose|role|application",
        r"mac(?: ?地址| address)?",
    ),
    least=4,
    evidence=_ADDRESS.pattern,
    count=5,
    heading=False,
)

# ── defence ──

_DEFENCE = (
    r"军工|国防(?:科技|科研|专利)|武器装备",
    r"gjb ?\d{2,5}",
    r"军(?:方|品|代表|检|用)|总装备部|装备发展部|驻厂军代表",
    r"(?:导弹|战斗机|鱼雷|火控|弹药|雷达|卫星|舰艇|火炮|制导|隐身)",
    r"武器装备(?:科研生产)?(?:许可|单位保密资格|承制)|保密资格",
    r"型号(?:任务|研制|代号|总师)|定型|靶试",
    r"\bitar\b|\bmil-(?:std|prf|dtl)-\d|export controlled|usml|distribution statement [b-f]\b|\bnoforn\b",
)
_DEFENCE_WORDS = tuple(map(re.compile, _DEFENCE))


def defence(about: Window) -> Judgement | None:
    """Words of the defence industry, four kinds of them under a heading that has one."""
    found = seen(_DEFENCE_WORDS, about.text)
    return Judgement(value="defence", facts={"words": str(found)}) if found >= 4 else None


_KINDS: Mapping[str, Shape] = {
    "research_plan": RESEARCH_PLAN,
    "technical_renovation": TECHNICAL_RENOVATION,
    "test_report": TEST_REPORT,
    "software_design": SOFTWARE_DESIGN,
    "quality_file": QUALITY_FILE,
    "drawing_title": DRAWING_TITLE,
    "network_plan": NETWORK_PLAN,
}

TECHNICAL_VALIDATORS: Mapping[str, Validator] = MappingProxyType(
    {
        **{name: by_shape(shape) for name, shape in _KINDS.items()},
        "process_parameters": by_window(process_parameters, where=headed),
        "formula_table": by_window(formula_table, where=begins_cell),
        "device_configuration": by_window(device_configuration, where=begins_cell),
        "cell_formulas": by_window(cell_formulas, where=_in_cells),
        "defence": by_window(defence, where=headed),
    }
)
"""Validators by the name that a signature's meta gives."""

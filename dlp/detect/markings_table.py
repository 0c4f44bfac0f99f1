"""What a classification marking looks like, as data: a security team edits this page, not the code.

`signatures/markings.yar` names the words that make a candidate; the tables here say which level a word
states, how much each place and each piece of evidence is worth, and which words nearby speak against it.
A candidate whose points reach THRESHOLD is a marking. All words are in normalised form: lower case,
half width, simplified Chinese, no white space beside a Chinese character.

Sources: 保守国家秘密法实施条例 (2024) and GB/T 9704-2012 section 7.2.2 (密级★期限 in the top left of the first
page); 中央企业商业秘密保护暂行规定 (国资委 2010) article 16 (owner, 核心商密 or 普通商密, term); US EO 13526 and
32 CFR 2001.23-24 (banner lines, portion marks); FIRST Traffic Light Protocol 2.0. The points were set by
hand so that structural marks score above 5 and every sentence about marks below it.
"""

from collections.abc import Mapping
from types import MappingProxyType

from dlp.model import Zone

THRESHOLD = 5.0
"""Points from which a candidate is a marking."""

LEVELS: Mapping[str, str] = MappingProxyType(
    {
        "绝密": "top-secret",
        "机密": "secret",
        "秘密": "confidential",
        "核心商密": "secret",
        "核心商业秘密": "secret",
        "普通商密": "confidential",
        "普通商业秘密": "confidential",
        "商业秘密": "confidential",
        "商密": "confidential",
        "受限": "restricted",
        "限制": "restricted",
        "内部": "internal",
        "内部公开": "internal",
        "内部文件": "internal",
        "内部资料": "internal",
        "内部信息": "internal",
        "内部材料": "internal",
        "内部使用": "internal",
        "仅限内部": "internal",
        "仅供内部": "internal",
        "top secret": "top-secret",
        "secret": "secret",
        "confidential": "confidential",
        "restricted": "restricted",
        "internal": "internal",
        "internal only": "internal",
        "internal use": "internal",
        "internal use only": "internal",
        "for internal use": "internal",
        "for internal use only": "internal",
        "official use only": "internal",
        "for official use only": "internal",
        "official sensitive": "confidential",
        "tlp:red": "restricted",
        "tlp:amber": "confidential",
        "tlp:amber+strict": "confidential",
        "ts": "top-secret",
        "s": "secret",
        "c": "confidential",
    }
)
"""Word of a mark → canonical level."""

ZONE_POINTS: Mapping[Zone, float] = MappingProxyType(
    {
        Zone.HEADER: 6,
        Zone.FOOTER: 6,
        Zone.WATERMARK: 7,
        Zone.TITLE: 5,
        Zone.SUBJECT: 5,
        Zone.FILENAME: 5,
        Zone.PROPERTY: 5,
        Zone.TEXTBOX: 5,
        Zone.HIDDEN: 2,
        Zone.NOTE: 1,
        Zone.COMMENT: 1,
        Zone.BODY: 0,
        Zone.RAW: 0,
    }
)
"""What the zone alone is worth to a mark that stands by itself in it."""

TOP = 6.0
"""A mark by itself among the first lines of a document."""
UPPER = 4.0
"""… somewhat lower on it, or on the first line of a later page."""
OWN_LINE = 2.0
"""… on a line or in a cell of its own anywhere else."""

TOP_LINES = 4
"""Lines of text from the start of a document that count as its top; a letterhead has its mark in the second."""
UPPER_LINES = 10
UPPER_CHARS = 400
"""Lines and characters from the start that count as its upper part."""

EVIDENCE: Mapping[str, float] = MappingProxyType(
    {
        "star": 4,  # ★ and ☆ are reserved for state secrets
        "weak star": 1,  # * · ▲ ◆ are used for want of a star, and for much else
        "term": 3,  # 10年, 长期, 公布前
        "bracket": 2,
        "field": 4,  # 密级：机密
        "ticked": 2,  # 密级：□绝密 ☑机密
        "trade secret": 3,  # 核心商密 and 普通商密 are terms of art
        "owner": 1,
        "handling": 1,  # 注意保密, do not distribute
        "copy number": 1,  # 份号 000001
        "document number": 1,  # 〔2024〕12号
        "control": 6,  # //NOFORN
        "label": 6,  # MSIP_Label_…_Name
        "tlp": 3,
    }
)
"""What a piece of evidence at or beside the mark adds."""

PENALTIES: Mapping[str, float] = MappingProxyType(
    {
        "policy": 4,
        "policy document": 2,
        "other levels": 9,
        "quoted": 3,
        "sentence": 3,
        "fiction": 6,
        "disclaimer": 6,
        "examination": 20,
        "declassified": 20,
        "denied": 20,
        "lower case": 3,
        "blank form": 20,
    }
)
"""What a reason to doubt takes away."""

STARS = "★☆⭐✩✪✭✮"
WEAK_STARS = "*·•▲△◆※"

TERM = (
    r"(?:保密期限)?[:：]?[(\[〔【《]?(?P<term>"
    r"\d{4}年\d{1,2}月(?:\d{1,2}日)?|(?:\d{1,3}|[一二三四五六七八九十百两]{1,4})个?(?:年|月|周|天|日)"
    r"|长期|永久|无限期|(?:公开|公布|发布|披露|上市|签约|实施|会议结束|项目结束|任务完成)[之以]?[前后]"
    r"|\d{1,3} ?(?:years?|months?))"
)
"""How long a mark binds, directly after it (regular expression over folded text)."""

LABELS_ZH = (
    "密级|文件密级|文档密级|资料密级|信息密级|数据密级|项目密级|邮件密级|密级标识|密别|秘密等级|秘密级别|保密等级|保密级别"
    "|保密级|保密程度|涉密等级|涉密级别|机密等级|机密级别|密级程度|商密等级|商业秘密等级"
)
LABELS_EN = (
    "classification|security classification|data classification|document classification|information classification"
    "|classification level|security level|confidentiality|confidentiality level|sensitivity"
    "|sensitivity label|protective marking"
)
"""Names of the field that holds a level (regular expression alternatives)."""

TICKED = "☑☒✓✔√■●⦿◉⊠▣✅"
UNTICKED = "□☐○◯▢〇"
"""Boxes of a form."""

KINDS = "文件|资料|文档|材料|信息|数据|档案|报告|图纸|邮件|公文|电报|传真|内容|专用"
"""What a Chinese mark may call the thing it stands on."""

HANDLING = (
    "注意(?:保密|保存|保管)|妥善保[管存]|(?:严禁|不得|请勿|禁止|切勿|不准)(?:外传|外泄|外发|扩散|传播|转发|转载|复制|复印|翻印|拍照|泄露|泄漏|公开)+"
    "|阅后(?:即焚|收回|退回|销毁)|用后收回|限(?:内部|公司)?(?:使用|传阅|阅读)|仅限(?:公司)?(?:内部)?(?:使用|传阅|阅读|参考)?"
    "|仅供(?:公司)?(?:内部)?(?:使用|传阅|参考|参阅|阅读)?|不公开|未经(?:授权|许可|批准|同意)(?:不得|禁止|严禁)\\w{1,12}"
    "|只限\\w{1,6}"
)
"""What a Chinese mark may ask for besides."""

OWNERS = (
    "公司|集团|有限|股份|局|院|所|部|部门|中心|科技|银行|大学|学院|委员会|委|办公室|厅|处|政府"
    "|单位|事业部|研究院|实验室|本部|总部|项目组"
)
"""How the name of an owner ends (after it comes the level)."""

OTHER_FIELDS = (
    "编号|文号|版本|版本号|紧急程度|缓急|特急|加急|日期|页码|页次|页数|份号|部门|编制|第|共|发文"
    "|文件编号|签发|保密期限|期限|知悉范围"
    "|no|ver|v|rev"
)
"""Fields of a form or a letterhead that may share a line with a mark."""

POLICY_WORDS = (
    "分为|划分|等级|级别|应当|应该|必须|规定|办法|条例|制度|细则|管理|标注|标明|注明|标识|标志"
    "|字样|标记|盖章|加盖|定密|涉及|属于|包括"
    "|所称|是指|定义|例如|比如|示例|样例|举例|格式|形式为|含义|解释|按照|依照|根据|不同|各级"
    "|各类|各种|凡|载体|知悉|人员|泄露|违反"
    "|培训|学习|考试|试题|答案|课程|教程|讲义|术语|说明|规范|标准|以上|以下|及其|一般|什么|如何|为什么|工作|意识|教育|法律|法规"
)
"""Words of a sentence about marks, on the mark's own line."""

POLICY_TITLES = "法|条例|办法|规定|制度|细则|规范|守则|准则|指南|须知|手册|规程|解读|释义|问答|讲义|教案|课件|培训"
"""How the title of a text about rules ends, in its first lines."""

FICTION = (
    "电影|影片|导演|主演|片名|剧情|电视剧|剧集|上映|票房|小说|作者简介|连载|游戏|专辑|歌曲|豆瓣|真人秀|综艺|密室|桌游"
    "|film|movie|starring|directed by|novel|album|soundtrack|imdb|box office|season \\d|% off|today only|on sale|unsubscribe"
    "|限时优惠|episode|lyrics"
)
"""Words that tell of a film, a book, a game or an advertisement, near the mark."""

EXAMINATION = "启用前|启用之前|启封前|使用前|开考前|考试前|考试结束前|考前|开启前"
"""After the star: the mark of an examination paper, public once it has been sat."""

DISCLAIMER = (
    "(?:this|the) (?:e-?mail|message|communication|transmission|fax)|intended (?:solely|only|recipient)"
    "|legally privileged and"
    "|received this (?:e-?mail|message)|in error|本(?:电子)?邮件|此(?:电子)?邮件|邮件及(?:其)?附件"
    "|收件人|误收|如果您不是|免责声明|保密声明"
)
"""Words of a disclaimer, which every message of some senders carries."""

WRAPPED_ABOVE = "国家|商业|工作|技术|军事|个人|公司|的|是|了|和|与|或|及|为|在|把|有|个|属|将|对|于|、|，|,|:"
WRAPPED_BELOW = "的|是|和|与|或|及|、|，|。|,|;|；|级|性|为|应|事项|载体|文件的"
"""How the line above ends and the line below begins where a sentence was broken about the mark."""

DENIED = "非不无未去解反"
"""Directly before a level, these deny it: 非秘密, 不秘密, 解密."""

ENGLISH_BEFORE = (
    "strictly|highly|most|company|commercial|commercially|commercial-in-confidence|business|private|proprietary|privileged"
    "|trade secret|personal|in|and|&|hr|legal|attorney[- ]client|attorney|client|draft|classification"
    "|marking|us|u\\.s\\.|nato|uk|eu"
    "|eyes only|classified|for your eyes only|re|fw|fwd|aw|page|\\d+|of|-"
)
"""Words that may stand before an English mark on its line besides the owner's name in capitals."""

ENGLISH_AFTER = (
    "attorneys['’]?|outside|counsel|information|document|documents|material|materials|data|draft|report|proprietary|property"
    "|and|&|not|do|copy|copying|distribute"
    "|distribution|forward|share|disclose|disclosure|release|public|publication|for|internal"
    "|official|use|only|external|eyes|your"
    "|page|of|\\d+|rev|revision|version|v\\d[\\d.]*|until|unless|authorized|authorised|personnel|recipients|need|to|know|basis"
    "|without|permission|prior|written|consent|no|copyright|©|\\(c\\)|all|rights|reserved|inc"
    "|ltd|llc|corp|gmbh|co|trade|secret|privileged"
    "|noforn|orcon|relto|rel|nofor|si|tk|-|handle|via|channels|board|management|executive|committee|members"
)
"""Words that may follow an English mark on its line."""

ENGLISH_VERBS = (
    "is|are|was|were|be|been|being|may|must|shall|should|will|would|can|could|contains?|includes?"
    "|means|marked|labell?ed|treated?|considered"
    "|keep|kept|please|if|that|which|how|why|what|when|this|these|those|such|any|non|isn't"
    "|their|our|becomes?|remains?|santa|sauce"
    "|treatment|computing|transactions?|client|clients|vm|vms|containers?|ledger|assets?|informant"
    "|garden|life|service|agent|key|keys|manager|store"
    "|santa's|weapon|recipe|ingredient|history|society|access|area|areas|entry|parking|airspace|stock|boltzmann"
)
"""Words that make a line with an English mark a sentence or a name."""

CONTROLS = (
    "noforn|nf|orcon|oc|imcon|propin|pr|relido|fouo|si|tk|hcs|gamma|rel to|rel|fgi|eyes only"
    "|sar|rd|frd|cnwdi|comint|talent keyhole"
)
"""US control and dissemination marks after `//`."""

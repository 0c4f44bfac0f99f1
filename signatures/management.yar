/*
 * Papers of management: decisions, strategy, projects, official documents, audits, rules. The anchors are headings; the
 * validators ask that they stand as such, and count the labels of the form under them. An anchor never suffices.
 */

rule board_paper
{
    meta:
        title = "Resolution or paper of the board or of management"
        title_zh = "董事会、办公会决议与重大决策文件"
        category = "strategy"
        confidence = 80
        validator = "board_paper"
        on = "text"
    strings:
        $zh1 = "董事会"
        $zh2 = "股东会"
        $zh3 = "股东大会"
        $zh4 = "监事会"
        $zh5 = "党委会"
        $zh6 = "办公会"
        $zh7 = "战略委员会"
        $zh8 = "重大事项"
        $zh9 = "重大决策"
        $zh10 = "重大投资"
        $zh11 = "三重一大"
        $en1 = "board of directors" fullword
        $en2 = "board resolution" fullword
        $en3 = "board paper" fullword
        $en4 = "board meeting" fullword
        $en5 = "board minutes" fullword
        $en6 = "executive committee" fullword
        $en7 = "management committee" fullword
        $en8 = "written resolution" fullword
    condition:
        any of them
}

rule strategy_plan
{
    meta:
        title = "Strategy or business plan with its figures"
        title_zh = "发展战略、经营计划、商业计划书"
        category = "strategy"
        confidence = 78
        validator = "strategy_plan"
        on = "text"
    strings:
        $zh1 = "战略规划"
        $zh2 = "发展规划"
        $zh3 = "战略纲要"
        $zh4 = "商业计划"
        $zh5 = "经营计划"
        $zh6 = "并购方案"
        $zh7 = "收购方案"
        $en1 = "business plan" fullword
        $en2 = "strategic plan" fullword
        $en3 = "corporate strategy" fullword
        $en4 = "operating plan" fullword
        $en5 = "strategy paper" fullword
        $en6 = "acquisition plan" fullword
    condition:
        any of them
}

rule marketing_plan
{
    meta:
        title = "Marketing plan with its figures"
        title_zh = "营销策划、市场推广方案"
        category = "strategy"
        confidence = 78
        validator = "strategy_plan"
        on = "text"
    strings:
        $zh1 = "营销策划"
        $zh2 = "营销方案"
        $zh3 = "营销计划"
        $zh4 = "推广方案"
        $zh5 = "上市方案"
        $en1 = "marketing plan" fullword
        $en2 = "marketing strategy" fullword
        $en3 = "go-to-market plan" fullword
        $en4 = "launch plan" fullword
    condition:
        any of them
}

rule feasibility_study
{
    meta:
        title = "Feasibility study or design of a project"
        title_zh = "可行性研究报告、项目建设方案与设计资料"
        category = "project-files"
        confidence = 78
        validator = "feasibility_study"
        on = "text"
    strings:
        $zh1 = "可行性研究报告"
        $zh2 = "可行性研究论证"
        $zh3 = "可行性分析报告"
        $zh4 = "可行性分析论证"
        $zh5 = "可行性报告"
        $zh6 = "可行性论证"
        $zh7 = "项目建议书"
        $zh8 = "初步设计说明"
        $zh9 = "初步设计文件"
        $zh10 = "初步设计方案"
        $zh11 = "概念设计说明"
        $zh12 = "概念设计文件"
        $zh13 = "概念设计方案"
        $zh14 = "基础设计说明"
        $zh15 = "基础设计文件"
        $zh16 = "基础设计方案"
        $zh17 = "建设方案"
        $zh18 = "施工方案"
        $zh19 = "施工组织设计"
        $en1 = "feasibility study" fullword
        $en2 = "feasibility report" fullword
        $en3 = "feasibility analysis" fullword
        $en4 = "project proposal" fullword
        $en5 = "basic engineering design" fullword
        $en6 = "front-end engineering" fullword
        $en7 = "front end engineering" fullword
        $en8 = "construction plan" fullword
        $en9 = "construction scheme" fullword
        $en10 = "construction method statement" fullword
    condition:
        any of them
}

rule letter_of_intent
{
    meta:
        title = "Letter of intent, memorandum of understanding, term sheet"
        title_zh = "意向书、谅解备忘录、框架协议、投资条款清单"
        category = "contracts"
        confidence = 78
        validator = "letter_of_intent"
        on = "text"
    strings:
        $zh1 = "意向书"
        $zh2 = "意向协议"
        $zh3 = "合作备忘录"
        $zh4 = "谅解备忘录"
        $zh5 = "框架性合作协议"
        $zh6 = "框架性协议"
        $zh7 = "框架合作协议"
        $zh8 = "框架协议"
        $zh9 = "条款清单"
        $en1 = "letter of intent" fullword
        $en2 = "memorandum of understanding" fullword
        $en3 = "term sheet" fullword
        $en4 = "heads of terms" fullword
    condition:
        any of them
}

rule insider_list
{
    meta:
        title = "List of insiders"
        title_zh = "内幕信息知情人登记表"
        category = "strategy"
        confidence = 88
        validator = "insider_list"
        on = "text"
    strings:
        $zh1 = "内幕信息知情人"
        $zh2 = /内幕信息(登记|档案|知情)/
        $en1 = "insider list" fullword
        $en2 = /list of insiders/ fullword
    condition:
        any of them
}

rule embargoed_text
{
    meta:
        title = "Text under embargo"
        title_zh = "未到公开时间的稿件（限时发布）"
        category = "strategy"
        confidence = 70
        validator = "embargoed"
        on = "text"
        mode = "shadow"
    strings:
        $en = /embargo(ed)? (until|till)[ :]{1,3}[^\n]{0,40}[0-9]{1,2}/
        $zh = /(发布|解禁|公布)(时间|日期)[^\n]{0,30}([0-9]|日|时|点|分){1,6}(前)?[^\n]{0,12}(不得|请勿|严禁)(对外|公开|发布|转载|报道)/
    condition:
        any of them
}

rule official_document
{
    meta:
        title = "Official document with its number and addressee"
        title_zh = "公文（文号、标题、主送、落款）"
        category = "official-documents"
        confidence = 80
        validator = "official_document"
        on = "text"
    strings:
        $number = /(〔|\[|\(|【)(19|20)[0-9]{2}(〕|\]|\)|】) ?(第 ?)?[0-9]{1,4} ?号/
        $about = "关于" private
    condition:
        $number and $about
}

rule audit_report
{
    meta:
        title = "Audit report, of accounts or internal"
        title_zh = "审计报告（外部、内部）"
        category = "audit-reports"
        confidence = 80
        validator = "audit_report"
        on = "text"
    strings:
        $zh1 = "审计报告"
        $zh2 = "审计意见书"
        $zh3 = "审计决定书"
        $zh4 = "审计底稿"
        $zh5 = "管理建议书"
        $en1 = "auditor's report" fullword
        $en2 = "auditors' report" fullword
        $en3 = "auditors report" fullword
        $en4 = "auditor report" fullword
        $en5 = "audit report" fullword
    condition:
        any of them
}

rule internal_rules
{
    meta:
        title = "Controlled rules of an organisation"
        title_zh = "内部管理制度（受控文件）"
        category = "internal-rules"
        confidence = 70
        validator = "internal_rules"
        on = "text"
    strings:
        $zh1 = /(管理|控制|考核|保密|财务|人事|薪酬|采购)(制度|办法|程序|规定|规程|细则)/
        $zh2 = /(程序|作业|质量|管理)(文件|手册|指导书)/
        $en1 = /(policy|procedure|standard operating procedure)( manual| document)?\n/
        $en2 = /(security|hr|travel|procurement|compensation) (policy|procedure)/ fullword
    condition:
        any of them
}

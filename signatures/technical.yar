/* Papers of research and production: plans, processes, formulas, quality, tests, drawings, designs; object code. */

rule research_plan
{
    meta:
        title = "Plan or record of a research project"
        title_zh = "研发计划、科研项目任务书与研究资料"
        category = "research"
        confidence = 78
        validator = "research_plan"
        on = "text"
    strings:
        $zh1 = "研发计划"
        $zh2 = "科研计划"
        $zh3 = "研发项目"
        $zh4 = "科研项目"
        $zh5 = "开发计划"
        $zh6 = "任务书"
        $zh7 = "立项报告"
        $zh8 = "立项申请"
        $zh9 = "研究方案"
        $zh10 = "研究报告"
        $zh11 = "结题报告"
        $zh12 = "实验记录"
        $zh13 = "试验记录"
        $zh14 = "研发记录"
        $zh15 = "技术开发"
        $en1 = "research plan" fullword
        $en2 = "research project" fullword
        $en3 = "research proposal" fullword
        $en4 = "r&d plan" fullword
        $en5 = "r&d project" fullword
        $en6 = "development plan" fullword
        $en7 = "development project" fullword
        $en8 = "project charter" fullword
        $en9 = "experiment record" fullword
        $en10 = "experimental record" fullword
        $en11 = "laboratory notebook" fullword
        $en12 = "lab notebook" fullword
    condition:
        any of them
}

rule process_parameters
{
    meta:
        title = "Process sheet with its parameters"
        title_zh = "工艺规程、工艺卡与工艺参数"
        category = "technical-secrets"
        confidence = 80
        validator = "process_parameters"
        on = "text"
    strings:
        $zh1 = "工艺规程"
        $zh2 = "工艺卡"
        $zh3 = "工艺过程卡"
        $zh4 = "工艺参数"
        $zh5 = "工艺文件"
        $zh6 = "工艺条件"
        $zh7 = "工艺流程卡"
        $zh8 = "工艺单"
        $zh9 = "作业指导书"
        $zh10 = "生产规程"
        $zh11 = "生产卡"
        $zh12 = "生产工艺"
        $zh13 = "操作规程"
        $zh14 = "操作卡"
        $zh15 = "操作工艺"
        $zh16 = "工序规程"
        $zh17 = "工序卡"
        $zh18 = "工序工艺"
        $en1 = "process sheet" fullword
        $en2 = "process parameters" fullword
        $en3 = "process parameter" fullword
        $en4 = "process specification" fullword
        $en5 = "process card" fullword
        $en6 = "process instructions" fullword
        $en7 = "process instruction" fullword
        $en8 = "work instructions" fullword
        $en9 = "work instruction" fullword
        $en10 = "operating procedure" fullword
        $en11 = "batch record" fullword
        $en12 = "recipe parameters" fullword
    condition:
        any of them
}

rule formula_table
{
    meta:
        title = "Formula: components with their shares"
        title_zh = "配方表（组分与用量）"
        category = "technical-secrets"
        confidence = 80
        validator = "formula_table"
        on = "text"
    strings:
        $zh1 = "配方"
        $zh2 = "组分名称"
        $zh3 = "组分代号"
        $zh4 = "组分编码"
        $zh5 = "原料名称"
        $zh6 = "原料代号"
        $zh7 = "原料编码"
        $zh8 = "原材料名称"
        $zh9 = "原材料代号"
        $zh10 = "原材料编码"
        $zh11 = "物料名称"
        $zh12 = "物料代号"
        $zh13 = "物料编码"
        $zh14 = "助剂名称"
        $zh15 = "助剂代号"
        $zh16 = "助剂编码"
        $zh17 = "质量份"
        $zh18 = "质量百分比"
        $zh19 = "重量份"
        $zh20 = "重量百分比"
        $zh21 = "投料单"
        $zh22 = "投料表"
        $zh23 = "投料量"
        $zh24 = "投料比例"
        $zh25 = "配料单"
        $zh26 = "配料表"
        $zh27 = "配料量"
        $zh28 = "配料比例"
        $zh29 = "配比单"
        $zh30 = "配比表"
        $zh31 = "配比量"
        $zh32 = "配比比例"
        $en1 = "formulation sheet" fullword
        $en2 = "formulation no" fullword
        $en3 = "formulation number" fullword
        $en4 = "formulation name" fullword
        $en5 = "formulation card" fullword
        $en6 = "formulation composition" fullword
        $en7 = "formulation code" fullword
        $en8 = "formula sheet" fullword
        $en9 = "formula no" fullword
        $en10 = "formula number" fullword
        $en11 = "formula name" fullword
        $en12 = "formula card" fullword
        $en13 = "formula composition" fullword
        $en14 = "formula code" fullword
        $en15 = "recipe sheet" fullword
        $en16 = "recipe no" fullword
        $en17 = "recipe number" fullword
        $en18 = "recipe name" fullword
        $en19 = "recipe card" fullword
        $en20 = "recipe composition" fullword
        $en21 = "recipe code" fullword
        $en22 = "blend sheet" fullword
        $en23 = "blend no" fullword
        $en24 = "blend number" fullword
        $en25 = "blend name" fullword
        $en26 = "blend card" fullword
        $en27 = "blend composition" fullword
        $en28 = "blend code" fullword
        $en29 = "compound sheet" fullword
        $en30 = "compound no" fullword
        $en31 = "compound number" fullword
        $en32 = "compound name" fullword
        $en33 = "compound card" fullword
        $en34 = "compound composition" fullword
        $en35 = "compound code" fullword
        $en36 = "wt.? %" fullword
        $en37 = "wt.?%" fullword
        $en38 = "w/w.? %" fullword
        $en39 = "w/w.?%" fullword
        $en40 = "weight.? %" fullword
        $en41 = "weight.?%" fullword
        $en42 = "mass.? %" fullword
        $en43 = "mass.?%" fullword
        $en44 = "parts by weight" fullword
        $en45 = "phr" fullword
    condition:
        any of them
}

rule formula_spreadsheet
{
    meta:
        title = "Spreadsheet that calculates a formula, a price or a cost"
        title_zh = "含配方、成本计算公式的电子表格"
        category = "technical-secrets"
        confidence = 75
        validator = "cell_formulas"
        on = "text"
        mode = "shadow"
    strings:
        $sum = "sum("
        $sumproduct = "sumproduct("
        $average = "average("
        $lookup = "vlookup("
        $zh1 = "配方" private
        $zh2 = "组分" private
        $zh3 = "助剂" private
        $zh4 = "质量份" private
        $zh5 = "投料" private
        $zh6 = "配比" private
        $zh7 = "成本价" private
        $en1 = "formulation" fullword private
        $en2 = "ingredient" fullword private
        $en3 = "wt%" fullword private
        $en4 = "phr" fullword private
        $en5 = "dosage" fullword private
        $en6 = "unit cost" fullword private
        $en7 = "cost price" fullword private
    condition:
        any of ($sum, $sumproduct, $average, $lookup) and 2 of ($zh*, $en*)
}

rule technical_renovation
{
    meta:
        title = "Plan of a technical renovation"
        title_zh = "技术改造计划、技改项目资料"
        category = "technical-secrets"
        confidence = 78
        validator = "technical_renovation"
        on = "text"
    strings:
        $zh1 = "技术改造"
        $zh2 = "设备改造"
        $zh3 = "工艺改造"
        $zh4 = "产线改造"
        $zh5 = "节能改造"
        $zh6 = "自动化改造"
        $zh7 = "扩能改造"
        $zh8 = "数字化改造"
        $zh9 = "技改项目"
        $zh10 = "技改计划"
        $zh11 = "技改方案"
        $zh12 = "技改申请"
        $zh13 = "技改报告"
        $zh14 = "技改立项"
        $en1 = "plant upgrade" fullword
        $en2 = "plant retrofit" fullword
        $en3 = "plant renovation" fullword
        $en4 = "plant revamp" fullword
        $en5 = "plant modernisation" fullword
        $en6 = "plant modernization" fullword
        $en7 = "equipment upgrade" fullword
        $en8 = "equipment retrofit" fullword
        $en9 = "equipment renovation" fullword
        $en10 = "equipment revamp" fullword
        $en11 = "equipment modernisation" fullword
        $en12 = "equipment modernization" fullword
        $en13 = "line upgrade" fullword
        $en14 = "line retrofit" fullword
        $en15 = "line renovation" fullword
        $en16 = "line revamp" fullword
        $en17 = "line modernisation" fullword
        $en18 = "line modernization" fullword
        $en19 = "process upgrade" fullword
        $en20 = "process retrofit" fullword
        $en21 = "process renovation" fullword
        $en22 = "process revamp" fullword
        $en23 = "process modernisation" fullword
        $en24 = "process modernization" fullword
        $en25 = "technical upgrade" fullword
        $en26 = "technical retrofit" fullword
        $en27 = "technical renovation" fullword
        $en28 = "technical revamp" fullword
        $en29 = "technical modernisation" fullword
        $en30 = "technical modernization" fullword
        $en31 = "capital request" fullword
        $en32 = "capital project proposal" fullword
        $en33 = "capex request" fullword
        $en34 = "capex project proposal" fullword
    condition:
        any of them
}

rule quality_file
{
    meta:
        title = "Production or quality record"
        title_zh = "生产、质量管理记录（日报、不合格品、8D、控制计划）"
        category = "production-quality"
        confidence = 78
        validator = "quality_file"
        on = "text"
    strings:
        $zh1 = "质量日报"
        $zh2 = "质量周报"
        $zh3 = "质量月报"
        $zh4 = "质量报表"
        $zh5 = "生产日报"
        $zh6 = "生产月报"
        $zh7 = "生产报表"
        $zh8 = "检验日报"
        $zh9 = "不良统计"
        $zh10 = "质量分析报告"
        $zh11 = "不合格品处理"
        $zh12 = "不合格品评审"
        $zh13 = "不合格品报告"
        $zh14 = "8d报告"
        $zh15 = "控制计划"
        $zh16 = "纠正措施"
        $zh17 = "批生产记录"
        $zh18 = "生产记录"
        $zh19 = "生产任务单"
        $en1 = "8d report" fullword
        $en2 = "control plan" fullword
        $en3 = "batch record" fullword
        $en4 = "batch production record" fullword
        $en5 = "nonconformance report" fullword
        $en6 = "non-conformance report" fullword
        $en7 = "production report" fullword
        $en8 = "corrective action report" fullword
        $en9 = "quality report" fullword
        $en10 = "fmea" fullword
    condition:
        any of them
}

rule test_report
{
    meta:
        title = "Test report with its results"
        title_zh = "检测、试验报告（含数据）"
        category = "production-quality"
        confidence = 78
        validator = "test_report"
        on = "text"
    strings:
        $zh1 = /(检测报告|检验报告|试验报告|测试报告|检测记录|检验记录|试验记录|测试记录)/
        $en1 = "test report" fullword
        $en3 = "test record" fullword
        $en4 = "test certificate" fullword
        $en5 = "inspection report" fullword
        $en6 = "qualification report" fullword
        $en7 = "analysis report" fullword
        $en2 = /certificate of analysis/ fullword
    condition:
        any of them
}

rule cad_drawing
{
    meta:
        title = "Drawing or model of computer-aided design"
        title_zh = "CAD 图纸、三维模型文件"
        category = "technical-secrets"
        confidence = 90
        on = "raw"
    strings:
        $dwg = /AC10(06|09|12|14|15|18|21|24|27|32)\x00/
        $dxf = /  0\r?\nSECTION\r?\n  2\r?\n(HEADER|TABLES|ENTITIES|BLOCKS|CLASSES)/
        $dxf_binary = "AutoCAD Binary DXF\r\n\x1a\x00"
        $step = "ISO-10303-21;"
        $iges = /[ -~]{72}S {6}1\r?\n/
        $catia = "V5_CFV2\x00"
        $parasolid = "**ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz*"
        $jt = /Version [0-9]{1,2}\.[0-9] JT/
        $creo = "#UGC:2 "
        $gerber = /G04 [^\n]{0,80}\*\r?\n(%|G0)/
        $dgn = { 08 09 FE 02 }
    condition:
        $dwg at 0 or $dxf in (0..200) or $dxf_binary at 0 or $step in (0..100) or $iges at 0 or $catia at 0 or $parasolid in (0..10)
        or $jt at 0 or $creo at 0 or $gerber at 0 or $dgn at 0
}

rule drawing_title_block
{
    meta:
        title = "Title block of a technical drawing"
        title_zh = "图纸标题栏"
        category = "technical-secrets"
        confidence = 78
        validator = "drawing_title"
        on = "text"
    strings:
        $zh1 = /图(号|样代号|样标记)/
        $zh2 = /未注(公差|倒角|圆角|尺寸)/
        $en1 = /(drawing|dwg\.?) (no|number)/
        $en2 = "unless otherwise specified" fullword
    condition:
        any of them
}

rule software_design
{
    meta:
        title = "Design document of software"
        title_zh = "软件设计说明书"
        category = "technical-secrets"
        confidence = 72
        validator = "software_design"
        on = "text"
        mode = "shadow"
    strings:
        $zh1 = /(概要|详细|总体|系统|数据库|接口|架构)设计(说明书?|文档|方案|规格)/
        $zh2 = /(需求规格|技术方案|软件需求)(说明书?|书)/
        $en1 = /(software|system|detailed|high[- ]level|technical) (design|architecture) (document|specification|description)/ fullword
        $en2 = /software requirements specification/ fullword
    condition:
        any of them
}

rule defence_technology
{
    meta:
        title = "Technical papers of defence projects"
        title_zh = "军工、国防科技项目资料"
        category = "defence-technology"
        confidence = 70
        validator = "defence"
        on = "text"
        mode = "shadow"
    strings:
        $zh1 = /军工(项目|产品|科研|任务)?/
        $zh2 = /gjb ?[0-9]{2,5}/
        $zh3 = /武器装备/
        $zh4 = /型号(任务|研制|总师)/
        $en1 = /mil-(std|prf|dtl)-[0-9]/
        $en2 = "export controlled" fullword
        $en3 = /distribution statement [b-f]/ fullword
    condition:
        2 of them
}

rule object_code
{
    meta:
        title = "Programs and libraries (object code)"
        title_zh = "目标代码（可执行文件、程序库）"
        category = "source-code"
        confidence = 60
        on = "raw"
        mode = "shadow"
    strings:
        $elf = "\x7fELF"
        $pe = /PE\x00\x00(\x4c\x01|\x64\x86|\x64\xaa)/
        $mach = { CF FA ED FE }
        $java = { CA FE BA BE 00 00 00 }
        $dex = "dex\n03"
        $wasm = { 00 61 73 6D 01 00 00 00 }
        $pyc = { ( 6F | A7 | CB ) 0D 0D 0A }
    condition:
        $elf at 0 or $mach at 0 or $java at 0 or $dex at 0 or $wasm at 0 or $pyc at 0 or (uint16(0) == 0x5a4d and $pe in (0..1024))
}

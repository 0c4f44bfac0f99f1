/* Contracts between named parties, tables of customers, minutes of meetings. */

rule contract_zh
{
    meta:
        title = "Chinese contract between named parties"
        title_zh = "合同、协议（双方已填写）"
        category = "contracts"
        confidence = 85
        validator = "contract_zh"
        on = "text"
    strings:
        $party_a = /(甲|买|需|委托|发包|出租|转让|披露)(方:|方\(|方 :|方 \(|方\t:|方\t\()/
        $party_b = /(包|租|托|借)(人:|人\(|人 :|人 \(|人\t:|人\t\()/
        $number = /(同|议)编号/
    condition:
        any of them
}

rule contract_en
{
    meta:
        title = "English contract between named companies"
        title_zh = "英文合同（双方已填写）"
        category = "contracts"
        confidence = 80
        validator = "contract_en"
        on = "text"
    strings:
        $between = /by and between/ fullword
        $entered = /(is|was) (made|entered) (and entered )?(into )?(as of|on|by|this)/ fullword
    condition:
        any of them
}

rule customer_table
{
    meta:
        title = "Table of customers with contacts"
        title_zh = "客户名单"
        category = "customer-data"
        confidence = 80
        validator = "customer_table"
        on = "text"
    strings:
        $zh1 = /客户(名称|姓名|编号|代码|等级|级别|名单|信息表)/
        $en1 = /(customer|client) (name|id|no|number|list)/ fullword
        $en2 = "account name" fullword
    condition:
        any of them
}

rule bill_of_materials
{
    meta:
        title = "Bill of materials with suppliers"
        title_zh = "物料清单（BOM）"
        category = "technical-secrets"
        confidence = 75
        validator = "bill_of_materials"
        on = "text"
    strings:
        $zh1 = "料号"
        $zh2 = /物料(编码|编号|代码|清单)/
        $en1 = "bill of materials" fullword
        $en2 = /part (no|number)/ fullword
    condition:
        any of them
}

rule meeting_minutes
{
    meta:
        title = "Minutes of a meeting"
        title_zh = "会议纪要"
        category = "meeting-minutes"
        confidence = 75
        validator = "meeting_minutes"
        on = "text"
    strings:
        $zh = /(议|事会|公会|东会|委会)(纪要|记录|决议)/
        $en = /minutes of (the )?/ fullword
        $en2 = "meeting minutes" fullword
    condition:
        any of them
}

/*
 * Classification markings. A rule names the words that make a candidate; whether one is a mark is judged by where
 * it stands (markings.toml holds levels, points and words of doubt). Strings are in the folded form:
 * lower case, simplified Chinese, half width; a Chinese character is three bytes to YARA, so one is made optional
 * only in brackets. The level in the meta is the lowest of the family; the mark's own wins.
 */

rule state_secret_marking
{
    meta:
        title = "State secret marking (level, star, term)"
        title_zh = "国家秘密标志（密级★保密期限）"
        level = "confidential"
        confidence = 95
        validator = "state_secret_mark"
        on = "text,name"
    strings:
        $star1 = /(绝|机|秘)密(级)?(★|☆|⭐|✩|✪|✭|✮)/
        $star2 = /(绝|机|秘)密(级)?( |\t)?(\*|·|•|▲|△|◆|※)/
        $star3 = /(工作秘密|内部|密件)(★|☆)/
    condition:
        any of them
}

rule classification_banner
{
    meta:
        title = "Chinese classification marking standing by itself"
        title_zh = "单独标注的密级（绝密、机密、秘密）"
        level = "confidential"
        confidence = 85
        validator = "banner_mark"
        on = "text,name"
    strings:
        $top_secret = "绝密"
        $secret = "机密"
        $confidential = "秘密"
        $document = "密件"
    condition:
        any of them
}

rule internal_marking
{
    meta:
        title = "Marking for internal use"
        title_zh = "内部资料标注（内部文件、内部使用）"
        level = "internal"
        confidence = 80
        validator = "banner_mark"
        on = "text,name"
    strings:
        $kind = /内(部文件|部资料|部材料|部信息|部使用|部公开|部传阅|部参考)/
        $work = "工作秘密"
        $party = /党内(文件|资料|材料)/
        $withheld = /此件不(予)?公开/
        $bracketed = /(\[|\(|【|〔)内部(\]|\)|】|〕)/
        $only = /仅(限|供)(公司)?内部(使用|传阅|参考)?/
    condition:
        any of them
}

rule trade_secret_marking
{
    meta:
        title = "Trade secret marking of an enterprise"
        title_zh = "商业秘密标志（核心商密、普通商密）"
        level = "confidential"
        confidence = 90
        validator = "trade_secret_mark"
        on = "text,name"
    strings:
        $graded = /(核心|普通)商(业秘)?密/
        $plain = /商(业秘)?密/
        $trade = "商业机密"
    condition:
        any of them
}

rule classification_field
{
    meta:
        title = "Field or form that states a classification"
        title_zh = "密级栏（密级：机密；密级：□绝密 ☑机密）"
        level = "internal"
        confidence = 90
        validator = "field_mark"
        on = "text"
    strings:
        $zh1 = "密级"
        $zh2 = /(秘密|保密|涉密|机密|商密)(等级|级别|程度)/
        $zh3 = "密别"
        $zh4 = /(信息|数据|文件|资料|文档)(安全)?分级/
        $en1 = "classification" fullword
        $en2 = /(security|sensitivity|classification|confidentiality) (level|label)/ fullword
        $en3 = "confidentiality" fullword
        $en4 = "sensitivity" fullword
        $en5 = "protective marking" fullword
    condition:
        any of them
}

rule english_marking
{
    meta:
        title = "English classification marking (TOP SECRET, CONFIDENTIAL, RESTRICTED)"
        title_zh = "英文密级标志（TOP SECRET、CONFIDENTIAL、RESTRICTED）"
        level = "confidential"
        confidence = 85
        validator = "english_mark"
        on = "text,name"
    strings:
        $top_secret = /top[ _-]?secret/
        $secret = "secret"
        $confidential = "confidential"
        $restricted = "restricted"
        $official = /official(: ?|[ -])sensitive/
        $confidence = /in[ -]confidence/
        $enforcement = "law enforcement sensitive"
    condition:
        any of them
}

rule english_internal_marking
{
    meta:
        title = "English marking for internal use"
        title_zh = "英文内部使用标志（INTERNAL USE ONLY）"
        level = "internal"
        confidence = 80
        validator = "english_mark"
        on = "text,name"
    strings:
        $internal = /internal[ _-]?(use[ _-]?)?only/
        $official = /official[ _-]use[ _-]only/
        $fouo = "fouo" fullword
        $cui = "cui" fullword
        $unclassified = /(controlled|sensitive but) unclassified/
        $bare = "internal" fullword
    condition:
        any of them
}

rule portion_marking
{
    meta:
        title = "Portion marking (S//NF)"
        title_zh = "段落密级标志（(S//NF)）"
        level = "confidential"
        confidence = 90
        validator = "portion_mark"
        on = "text"
    strings:
        $portion1 = /\(s\/\/[a-z][a-z0-9 ,\/-]{1,60}\)/
        $portion2 = /\(ts\/\/[a-z][a-z0-9 ,\/-]{1,60}\)/
        $portion3 = /\(c\/\/[a-z][a-z0-9 ,\/-]{1,60}\)/
        $portion4 = /\(cui\/\/[a-z][a-z0-9 ,\/-]{1,60}\)/
        $bare1 = "(s) "
        $bare2 = "(ts) "
        $bare3 = "(c) "
        $bare4 = "(cui) "
    condition:
        any of them
}

rule tlp_marking
{
    meta:
        title = "Traffic Light Protocol, RED or AMBER"
        title_zh = "交通灯协议标志（TLP:RED、TLP:AMBER）"
        level = "confidential"
        confidence = 85
        validator = "tlp_mark"
        on = "text,name"
    strings:
        $tlp = /tlp: ?(red|amber(\+strict)?)/ fullword
    condition:
        $tlp
}

rule sensitivity_label
{
    meta:
        title = "Microsoft Purview sensitivity label"
        title_zh = "微软 Purview 敏感度标签"
        level = "internal"
        confidence = 95
        validator = "sensitivity_label"
        on = "text"
    strings:
        $label = /msip_label_[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}_name/
    condition:
        $label
}

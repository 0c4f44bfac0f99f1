/*
 * Numbers of vehicles, banks and lists of addresses. Vehicle identification numbers are looked for by the codes of the usual
 * makers (ISO 3780), because a pattern needs a literal to begin with; others where a word names them.
 */

rule cn_plate
{
    meta:
        title = "Vehicle number plate of mainland China, named as one"
        title_zh = "机动车号牌（含新能源）"
        category = "personal-data"
        confidence = 70
        validator = "cn_plate"
        on = "text"
    strings:
        // The 31 provinces as literals would cost more than all other identifiers on Chinese text; the words do not.
        $zh = /(车牌|号牌|牌照|车号)/
        $en = /(licen(s|c)e|number|registration) plate/ fullword
    condition:
        any of them
}

rule vin
{
    meta:
        title = "Vehicle identification number"
        title_zh = "车辆识别代号（VIN）"
        category = "personal-data"
        confidence = 80
        validator = "vin"
        on = "text|name"
    strings:
        $china = /(lsv|lfv|lsg|lvs|lvg|lfm|lhg|lvh|lgb|lbe|lbv|le4|lgx|lc0|lzw|ls4|ls5|ls6|lgw|lb3|l6t|lvv|lnb|lj1|lrw|ldc|lvz|lsj|lna|lmg|lyv|lvr|lfp|lfn|lfw|lga|lzz|lzg|lef|lud)[0-9a-hj-npr-z]{14}/
        $america = /(1hg|1g1|1gc|1gn|1fa|1fm|1ft|1c3|1c4|1c6|1j4|1n4|2hg|2t1|2g1|3vw|3fa|3n1|4t1|4s3|5yj|5np|5td|5fn|7sa)[0-9a-hj-npr-z]{14}/
        $elsewhere = /(wba|wbs|wby|wdb|wdd|wdc|w1k|w1n|wvw|wvg|wv1|wv2|wau|wua|wp0|wp1|vf1|vf3|vf7|zfa|zff|saj|tmb|vss|yv1|jhm|jh4|jtd|jte|jth|jtm|jt2|jn1|jn8|jm1|jm3|jf1|jf2|kmh|km8|kna|knd)[0-9a-hj-npr-z]{14}/
        $elsewhere_4 = /(sall|salv|sala)[0-9a-hj-npr-z]{13}/
        $named = /(vin|车架号|车辆识别代号|车辆识别代码|车辆识别码|chassis n(o|umber))[^\n]{1,20}[0-9a-hj-npr-z]{17}/
    condition:
        any of them
}

rule swift_bic
{
    meta:
        title = "Business identifier code of a bank (SWIFT, BIC)"
        title_zh = "银行 SWIFT/BIC 代码"
        category = "business-registration"
        confidence = 75
        validator = "swift_bic"
        on = "text"
    strings:
        $swift = /swift([ -]?(code|no\.?|number|address|号(码)?|代码|编码|\/? ?bic))+|swift ?[:\/]/
        $bic = /bic( ?(code|no\.?|number|号(码)?|代码)| ?\/ ?swift| ?:)/
    condition:
        any of them
}

rule email_list
{
    meta:
        title = "List of e-mail addresses (30 or more)"
        title_zh = "电子邮件地址名单（30 个以上）"
        category = "personal-data"
        confidence = 75
        validator = "email_address"
        min_count = 30
        on = "text"
    strings:
        $at = /@(a|b|c|d|e|f|g|h|i|j|k|l|m|n|o|p|q|r|s|t|u|v|w|x|y|z|0|1|2|3|4|5|6|7|8|9)[a-z0-9.-]{0,60}\.[a-z]{2,12}/
    condition:
        #at >= 30
}

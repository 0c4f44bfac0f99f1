/*
 * Travel and residence documents. Few of their numbers carry a check digit: a word that names them has to stand beside them.
 * Where a number is digits alone, the word begins the pattern, which also makes it cheap.
 */

rule cn_hk_macao_permit
{
    meta:
        title = "Mainland travel permit of a Hong Kong or Macao resident"
        title_zh = "港澳居民来往内地通行证号码"
        category = "personal-data"
        confidence = 80
        validator = "cn_permit"
        near = "通行证|回乡证|来往内地|港澳居民|证件号|home return permit|mainland travel permit"
        on = "text|name"
    strings:
        $h = /(h0|h1|h2|h3|h4|h5|h6|h7|h8|h9)[0-9]{7}([0-9]{2})?/
        $m = /(m0|m1|m2|m3|m4|m5|m6|m7|m8|m9)[0-9]{7}([0-9]{2})?/
    condition:
        any of them
}

rule cn_exit_permit
{
    meta:
        title = "Exit permit to Hong Kong, Macao or Taiwan"
        title_zh = "往来港澳通行证、往来台湾通行证号码"
        category = "personal-data"
        confidence = 80
        validator = "cn_permit"
        near = "往来港澳|港澳通行证|往来台湾|台湾通行证|通行证|exit-entry permit|exit permit"
        on = "text|name"
    strings:
        $c = /(c0|c1|c2|c3|c4|c5|c6|c7|c8|c9)[0-9]{7}/
        $chip = /通行证[^\n]{0,20}c[a-hj-np-z][0-9]{7}/
        $l = /(l0|l1|l2|l3|l4|l5|l6|l7|l8|l9)[0-9]{7}/
    condition:
        any of them
}

rule cn_taiwan_permit
{
    meta:
        title = "Mainland travel permit of a Taiwan resident"
        title_zh = "台湾居民来往大陆通行证（台胞证）号码"
        category = "personal-data"
        confidence = 75
        validator = "cn_taiwan_permit"
        on = "text|name"
    strings:
        $named = /(台胞证|台湾居民来往大陆通行证|来往大陆通行证)[^0-9\n]{0,20}([0-9]{10}(\([a-z0-9]\))?|[0-9]{8})/
    condition:
        $named
}

rule cn_residence_permit
{
    meta:
        title = "Residence permit of a Hong Kong, Macao or Taiwan resident"
        title_zh = "港澳台居民居住证号码"
        category = "personal-data"
        confidence = 95
        validator = "cn_residence_permit"
        on = "text|name"
    strings:
        $number = /(810000|820000|830000)[ -]?(19|20)[0-9]{2}[ -]?(0[1-9]|1[0-2])[ -]?[0-3][0-9][ -]?[0-9]{3}[ -]?[0-9x]/
    condition:
        $number
}

rule cn_foreigner_card
{
    meta:
        title = "Permanent residence card of a foreigner in China"
        title_zh = "外国人永久居留身份证号码"
        category = "personal-data"
        confidence = 85
        validator = "cn_foreigner_card"
        on = "text|name"
    strings:
        $new = /9[1-8][0-9][0-9]{3}(190|191|192|193|194|195|196|197|198|199|200|201|202)[0-9](0[1-9]|1[0-2])[0-3][0-9]{4}[0-9x]/
        $old = /(居留|residence)[^\n]{0,20}[a-z]{3}[1-8][0-9]{11}/
    condition:
        any of them
}

rule passport_other
{
    meta:
        title = "Passport number of another country"
        title_zh = "外国护照号码"
        category = "personal-data"
        confidence = 70
        validator = "passport_other"
        on = "text|name"
    strings:
        $en = /passport ?(no\.?|number|num|nr\.?|#|id)[ :#.]{0,4}[0-9a-z]{7,9}/
        $en2 = /passport ?[:#] ?[0-9a-z]{7,9}/
        $zh = /护照(号(码)?|编号|no\.?)?[ :]{1,4}[0-9a-z]{7,9}/
    condition:
        any of them
}

rule passport_mrz
{
    meta:
        title = "Machine-readable lines of a passport"
        title_zh = "护照机读码（两行）"
        category = "personal-data"
        confidence = 97
        validator = "passport_mrz"
        on = "text|name"
    strings:
        $lines = /<<<[ \r\n]{1,4}[0-9a-z<]{9}[0-9][a-z<]{3}[0-9]{7}[mfx<][0-9]{7}[0-9a-z<]{14}[0-9<][0-9]/
    condition:
        $lines
}

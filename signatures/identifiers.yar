// Numbers that name a person, a company or an account. The patterns only gather candidates: check digits,
// dates, regions and issuers are asked by the validators. Text is folded before it is scanned (small letters,
// half width), and digits may stand in groups.

rule cn_id
{
    meta:
        title = "Resident identity number of the People's Republic of China"
        title_zh = "居民身份证号码"
        category = "personal-data"
        confidence = 95
        validator = "cn_id"
        on = "text|name"
    strings:
        $whole = /[1-8][0-9]{5}[ -]?(19[0-9]|20[0-4])[0-9][ -]?(0[1-9]|1[0-2])[ -]?[0-3][0-9][ -]?[0-9]{3}[ -]?[0-9x]/
        $fours = /[1-8][0-9]{3}[ -][0-9]{2}(19|20)[ -][0-9]{2}(0[1-9]|1[0-2])[ -][0-3][0-9]{3}[ -][0-9][0-9x]/
        $old = /[1-8][0-9]{5}[0-9]{2}(0[1-9]|1[0-2])[0-3][0-9]{4}/
    condition:
        any of them
}

rule cn_uscc
{
    meta:
        title = "Unified social credit code"
        title_zh = "统一社会信用代码"
        category = "business-registration"
        confidence = 90
        validator = "cn_uscc"
        on = "text|name"
    strings:
        $code = /(1[1239]|2[19]|3[1-59]|4[19]|5[1-59]|6[129]|7[129]|8[19]|9[1239]|a[19]|n[1239]|y1)[ -]?[1-8][0-9]{5}[ -]?[0-9a-hj-npqrtuwxy]{9}[ -]?[0-9a-hj-npqrtuwxy]/
    condition:
        $code
}

rule bank_card
{
    meta:
        title = "Payment card number"
        title_zh = "银行卡号"
        category = "payment-cards"
        confidence = 90
        validator = "bank_card"
        on = "text|name"
    strings:
        $whole = /(62|4[0-9]|5[1-5]|2[2-7]|35|60|6[45]|95)[0-9]{11,17}/
        $groups = /(62|4[0-9]|5[1-5]|2[2-7]|35|60|6[45]|95)[0-9]{2}[ -][0-9]{4}[ -][0-9]{4}[ -][0-9]{4}([ -]?[0-9]{1,3})?/
        $fifteen = /3[47][0-9]{2}[ -]?[0-9]{6}[ -]?[0-9]{5}/
        $fourteen = /3(0[0-5]|6[0-9])[0-9][ -]?[0-9]{6}[ -]?[0-9]{4}/
    condition:
        any of them
}

rule cn_mobile
{
    meta:
        title = "Mobile number of mainland China"
        title_zh = "手机号码"
        category = "personal-data"
        confidence = 70
        validator = "cn_mobile"
        near = "手机|电话|移动电话|联系方式|联系人|联络|致电|微信|mobile|cell|cellphone|phone|telephone|tel|whatsapp|wechat|contact"
        on = "text|name"
    strings:
        $number = /1[3-9][0-9][ -]?[0-9]{4}[ -]?[0-9]{4}/
    condition:
        $number
}

rule cn_passport
{
    meta:
        title = "Passport number of the People's Republic of China"
        title_zh = "中国护照号码"
        category = "personal-data"
        confidence = 80
        validator = "cn_passport"
        near = "护照|旅行证件|passport|passport no|travel document"
        on = "text|name"
    strings:
        $ordinary = /[eg][0-9]{8}/
        $lettered = /e[a-hj-np-z][0-9]{7}/
        $other = /([dsph]|[spd]e)[0-9]{7,8}/
    condition:
        any of them
}

rule iban
{
    meta:
        title = "International bank account number"
        title_zh = "国际银行账户号码（IBAN）"
        category = "payment-cards"
        confidence = 95
        validator = "iban"
        on = "text|name"
    strings:
        $a = /(ad|ae|al|at|az|ba|be|bg|bh|bi|br|by|ch|cr|cy|cz|de|dj|dk|do|ee|eg|es|fi|fk|fo|fr|gb|ge|gi|gl|gr|gt|hn|hr|hu)[0-9]{2}[ -]?[0-9a-z]{4}[ -]?[0-9a-z]{4}[ -]?[0-9a-z]{3,4}([ -]?[0-9a-z]{1,4}){0,5}/
        $b = /(ie|il|iq|is|it|jo|kw|kz|lb|lc|li|lt|lu|lv|ly|mc|md|me|mk|mn|mr|mt|mu|ni|nl|no|om|pk|pl|ps|pt|qa|ro|rs|ru|sa|sc|sd|se|si|sk|sm|so|st|sv|tl|tn|tr|ua|va|vg|xk|ye)[0-9]{2}[ -]?[0-9a-z]{4}[ -]?[0-9a-z]{4}[ -]?[0-9a-z]{3,4}([ -]?[0-9a-z]{1,4}){0,5}/
    condition:
        any of them
}

rule us_ssn
{
    meta:
        title = "Social security number of the United States"
        title_zh = "美国社会安全号码"
        category = "personal-data"
        confidence = 80
        validator = "us_ssn"
        near = "ssn|ssns|social security|social security number|社会安全号|社会保障号|社保号"
        on = "text|name"
    strings:
        $groups = /[0-8][0-9]{2}[ -][0-9]{2}[ -][0-9]{4}/
        $whole = /[0-8][0-9]{8}/
    condition:
        any of them
}

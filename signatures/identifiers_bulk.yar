/*
 * Many different identifiers in one item: a table of people or of cards, where one number is an everyday affair. The same
 * candidates and checks as the single ones, counted; a policy can as well ask `count` of those.
 */

rule cn_id_bulk
{
    meta:
        title = "Many resident identity numbers (20 or more different ones)"
        title_zh = "批量身份证号码（20 个以上）"
        category = "personal-data-bulk"
        confidence = 97
        validator = "cn_id"
        min_count = 20
        on = "text"
    strings:
        $whole = /[1-8][0-9]{5}(190|191|192|193|194|195|196|197|198|199|200|201|202)[0-9](0[1-9]|1[0-2])[0-3][0-9]{4}[0-9x]/
    condition:
        #whole >= 20
}

rule cn_mobile_bulk
{
    meta:
        title = "Many mobile numbers (50 or more different ones)"
        title_zh = "批量手机号码（50 个以上）"
        category = "personal-data-bulk"
        confidence = 85
        validator = "cn_mobile"
        min_count = 50
        near = "手机|电话|移动电话|联系方式|联系人|联络|mobile|cell|cellphone|phone|telephone|tel|whatsapp|wechat|contact"
        on = "text"
    strings:
        $number = /(130|131|132|133|134|135|136|137|138|139|140|141|142|143|144|145|146|147|148|149|150|151|152|153|154|155|156|157|158|159|160|161|162|163|164|165|166|167|168|169|170|171|172|173|174|175|176|177|178|179|180|181|182|183|184|185|186|187|188|189|190|191|192|193|194|195|196|197|198|199)[ -]?[0-9]{4}[ -]?[0-9]{4}/
    condition:
        #number >= 50
}

rule bank_card_bulk
{
    meta:
        title = "Many payment card numbers (10 or more different ones)"
        title_zh = "批量银行卡号（10 个以上）"
        category = "personal-data-bulk"
        confidence = 95
        validator = "bank_card"
        min_count = 10
        on = "text"
    strings:
        $unionpay = /62[0-9]{2}[ -]?[0-9]{4}[ -]?[0-9]{4}[ -]?[0-9]{4}([ -]?[0-9]{1,3})?/
        $visa = /4[0-9]{3}[ -]?[0-9]{4}[ -]?[0-9]{4}[ -]?[0-9]{4}/
        $mastercard = /5[1-5][0-9]{2}[ -]?[0-9]{4}[ -]?[0-9]{4}[ -]?[0-9]{4}/
    condition:
        #unionpay + #visa + #mastercard >= 10
}

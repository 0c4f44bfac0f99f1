// Numbers that name a person, a company or an account. The patterns only gather candidates: check digits,
// dates, regions and issuers are asked by the validators. Text is folded before it is scanned (small letters,
// half width), and digits may stand in groups.
//
// The engine looks for the literals of a pattern and tries it where it finds one, so that single digits would be tried at
// every number: prefixes are spelt out to two or three digits, as many as pay.

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
        $fours = /[1-8][0-9]{3}[ -][0-9]{2}(19 |19-|20 |20-)[0-9]{2}(0[1-9]|1[0-2])[ -][0-3][0-9]{3}[ -][0-9][0-9x]/
        $old = /[1-8][0-9]{7}(010|011|012|013|020|021|022|023|030|031|032|033|040|041|042|043|050|051|052|053|060|061|062|063|070|071|072|073|080|081|082|083|090|091|092|093|100|101|102|103|110|111|112|113|120|121|122|123)[0-9]{4}/
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
        $business = /(91|92|93)[ -]?[1-8][0-9]{5}[ -]?[0-9a-hj-npqrtuwxy]{9}[ -]?[0-9a-hj-npqrtuwxy]/
        $institution = /(111|112|113|114|115|116|117|118|121|122|123|124|125|126|127|128|131|132|133|134|135|136|137|138|191|192|193|194|195|196|197|198|311|312|313|314|315|316|317|318|321|322|323|324|325|326|327|328|331|332|333|334|335|336|337|338|341|342|343|344|345|346|347|348|351|352|353|354|355|356|357|358|391|392|393|394|395|396|397|398|511|512|513|514|515|516|517|518|521|522|523|524|525|526|527|528|531|532|533|534|535|536|537|538|591|592|593|594|595|596|597|598)[0-9]{5}[ -]?[0-9a-hj-npqrtuwxy]{9}[ -]?[0-9a-hj-npqrtuwxy]/
        $apart = /(11 |11-|12 |12-|13 |13-|19 |19-|31 |31-|32 |32-|33 |33-|34 |34-|35 |35-|39 |39-|51 |51-|52 |52-|53 |53-|59 |59-)[1-8][0-9]{5}[ -]?[0-9a-hj-npqrtuwxy]{9}[ -]?[0-9a-hj-npqrtuwxy]/
        $lettered = /(a1|a9|n1|n2|n3|n9|y1)[ -]?[1-8][0-9]{5}[ -]?[0-9a-hj-npqrtuwxy]{9}[ -]?[0-9a-hj-npqrtuwxy]/
    condition:
        any of them
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
        $unionpay = /62[0-9]{2}[ -]?[0-9]{4}[ -]?[0-9]{4}[ -]?[0-9]{4}([ -]?[0-9]{1,3})?/
        $unionpay_2 = /(810|811|812|813|814|815|816|817)[0-9][ -]?[0-9]{4}[ -]?[0-9]{4}[ -]?[0-9]{4}([ -]?[0-9]{1,3})?/
        $visa = /(400|401|402|403|404|405|406|407|408|409|410|411|412|413|414|415|416|417|418|419|420|421|422|423|424|425|426|427|428|429|430|431|432|433|434|435|436|437|438|439|440|441|442|443|444|445|446|447|448|449|450|451|452|453|454|455|456|457|458|459|460|461|462|463|464|465|466|467|468|469|470|471|472|473|474|475|476|477|478|479|480|481|482|483|484|485|486|487|488|489|490|491|492|493|494|495|496|497|498|499)[0-9][ -]?[0-9]{4}[ -]?[0-9]{4}[ -]?([0-9]{4}([ -]?[0-9]{3})?|[0-9])/
        $mastercard = /(510|511|512|513|514|515|516|517|518|519|520|521|522|523|524|525|526|527|528|529|530|531|532|533|534|535|536|537|538|539|540|541|542|543|544|545|546|547|548|549|550|551|552|553|554|555|556|557|558|559)[0-9][ -]?[0-9]{4}[ -]?[0-9]{4}[ -]?[0-9]{4}/
        $mastercard_2 = /(220|221|222|223|224|225|226|227|228|229|230|231|232|233|234|235|236|237|238|239|240|241|242|243|244|245|246|247|248|249|250|251|252|253|254|255|256|257|258|259|260|261|262|263|264|265|266|267|268|269|270|271|272|273|274|275|276|277|278|279)[0-9][ -]?[0-9]{4}[ -]?[0-9]{4}[ -]?[0-9]{4}/
        $jcb = /(352|353|354|355|356|357|358)[0-9][ -]?[0-9]{4}[ -]?[0-9]{4}[ -]?[0-9]{4}([ -]?[0-9]{1,3})?/
        $amex = /(34|37)[0-9]{2}[ -]?[0-9]{6}[ -]?[0-9]{5}/
        $discover = /(6011|644[0-9]|645[0-9]|646[0-9]|647[0-9]|648[0-9]|649[0-9]|65[0-9]{2})[ -]?[0-9]{4}[ -]?[0-9]{4}[ -]?[0-9]{4}([ -]?[0-9]{3})?/
        $early = /(9558|6013)[ -]?[0-9]{4}[ -]?[0-9]{4}[ -]?[0-9]{4}([ -]?[0-9]{3})?/
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
        $number = /(13|14|15|16|17|18|19)[0-9][ -]?[0-9]{4}[ -]?[0-9]{4}/
        $with_country = /86[ -]?1[3-9][0-9][ -]?[0-9]{4}[ -]?[0-9]{4}/
    condition:
        any of them
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
        $ordinary = /(e0|e1|e2|e3|e4|e5|e6|e7|e8|e9|g0|g1|g2|g3|g4|g5|g6|g7|g8|g9)[0-9]{7}/
        $named = /(护照|passport)[^\n]{0,30}(e[a-hj-np-z][0-9]{7}|[dsph][0-9]{7,8}|[spd]e[0-9]{7})/
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
        // Country and first check digit in full: three letters are what the engine can look for at no great cost.
        $a = /(ad0|ad1|ad2|ad3|ad4|ad5|ad6|ad7|ad8|ad9|ae0|ae1|ae2|ae3|ae4|ae5|ae6|ae7|ae8|ae9|al0|al1|al2|al3|al4|al5|al6|al7|al8|al9|at0|at1|at2|at3|at4|at5|at6|at7|at8|at9|az0|az1|az2|az3|az4|az5|az6|az7|az8|az9)[0-9][ -]?[0-9a-z]{4}[ -]?[0-9a-z]{4}[ -]?[0-9a-z]{3,4}([ -]?[0-9a-z]{1,4}){0,5}/
        $b = /(ba0|ba1|ba2|ba3|ba4|ba5|ba6|ba7|ba8|ba9|be0|be1|be2|be3|be4|be5|be6|be7|be8|be9|bg0|bg1|bg2|bg3|bg4|bg5|bg6|bg7|bg8|bg9|bh0|bh1|bh2|bh3|bh4|bh5|bh6|bh7|bh8|bh9|bi0|bi1|bi2|bi3|bi4|bi5|bi6|bi7|bi8|bi9|br0|br1|br2|br3|br4|br5|br6|br7|br8|br9|by0|by1|by2|by3|by4|by5|by6|by7|by8|by9)[0-9][ -]?[0-9a-z]{4}[ -]?[0-9a-z]{4}[ -]?[0-9a-z]{3,4}([ -]?[0-9a-z]{1,4}){0,5}/
        $c = /(ch0|ch1|ch2|ch3|ch4|ch5|ch6|ch7|ch8|ch9|cr0|cr1|cr2|cr3|cr4|cr5|cr6|cr7|cr8|cr9|cy0|cy1|cy2|cy3|cy4|cy5|cy6|cy7|cy8|cy9|cz0|cz1|cz2|cz3|cz4|cz5|cz6|cz7|cz8|cz9)[0-9][ -]?[0-9a-z]{4}[ -]?[0-9a-z]{4}[ -]?[0-9a-z]{3,4}([ -]?[0-9a-z]{1,4}){0,5}/
        $d = /(de0|de1|de2|de3|de4|de5|de6|de7|de8|de9|dj0|dj1|dj2|dj3|dj4|dj5|dj6|dj7|dj8|dj9|dk0|dk1|dk2|dk3|dk4|dk5|dk6|dk7|dk8|dk9|do0|do1|do2|do3|do4|do5|do6|do7|do8|do9)[0-9][ -]?[0-9a-z]{4}[ -]?[0-9a-z]{4}[ -]?[0-9a-z]{3,4}([ -]?[0-9a-z]{1,4}){0,5}/
        $e = /(ee0|ee1|ee2|ee3|ee4|ee5|ee6|ee7|ee8|ee9|eg0|eg1|eg2|eg3|eg4|eg5|eg6|eg7|eg8|eg9|es0|es1|es2|es3|es4|es5|es6|es7|es8|es9)[0-9][ -]?[0-9a-z]{4}[ -]?[0-9a-z]{4}[ -]?[0-9a-z]{3,4}([ -]?[0-9a-z]{1,4}){0,5}/
        $f = /(fi0|fi1|fi2|fi3|fi4|fi5|fi6|fi7|fi8|fi9|fk0|fk1|fk2|fk3|fk4|fk5|fk6|fk7|fk8|fk9|fo0|fo1|fo2|fo3|fo4|fo5|fo6|fo7|fo8|fo9|fr0|fr1|fr2|fr3|fr4|fr5|fr6|fr7|fr8|fr9)[0-9][ -]?[0-9a-z]{4}[ -]?[0-9a-z]{4}[ -]?[0-9a-z]{3,4}([ -]?[0-9a-z]{1,4}){0,5}/
        $g = /(gb0|gb1|gb2|gb3|gb4|gb5|gb6|gb7|gb8|gb9|ge0|ge1|ge2|ge3|ge4|ge5|ge6|ge7|ge8|ge9|gi0|gi1|gi2|gi3|gi4|gi5|gi6|gi7|gi8|gi9|gl0|gl1|gl2|gl3|gl4|gl5|gl6|gl7|gl8|gl9|gr0|gr1|gr2|gr3|gr4|gr5|gr6|gr7|gr8|gr9|gt0|gt1|gt2|gt3|gt4|gt5|gt6|gt7|gt8|gt9)[0-9][ -]?[0-9a-z]{4}[ -]?[0-9a-z]{4}[ -]?[0-9a-z]{3,4}([ -]?[0-9a-z]{1,4}){0,5}/
        $h = /(hn0|hn1|hn2|hn3|hn4|hn5|hn6|hn7|hn8|hn9|hr0|hr1|hr2|hr3|hr4|hr5|hr6|hr7|hr8|hr9|hu0|hu1|hu2|hu3|hu4|hu5|hu6|hu7|hu8|hu9)[0-9][ -]?[0-9a-z]{4}[ -]?[0-9a-z]{4}[ -]?[0-9a-z]{3,4}([ -]?[0-9a-z]{1,4}){0,5}/
        $i = /(ie0|ie1|ie2|ie3|ie4|ie5|ie6|ie7|ie8|ie9|il0|il1|il2|il3|il4|il5|il6|il7|il8|il9|iq0|iq1|iq2|iq3|iq4|iq5|iq6|iq7|iq8|iq9|is0|is1|is2|is3|is4|is5|is6|is7|is8|is9|it0|it1|it2|it3|it4|it5|it6|it7|it8|it9)[0-9][ -]?[0-9a-z]{4}[ -]?[0-9a-z]{4}[ -]?[0-9a-z]{3,4}([ -]?[0-9a-z]{1,4}){0,5}/
        $j = /(jo0|jo1|jo2|jo3|jo4|jo5|jo6|jo7|jo8|jo9)[0-9][ -]?[0-9a-z]{4}[ -]?[0-9a-z]{4}[ -]?[0-9a-z]{3,4}([ -]?[0-9a-z]{1,4}){0,5}/
        $k = /(kw0|kw1|kw2|kw3|kw4|kw5|kw6|kw7|kw8|kw9|kz0|kz1|kz2|kz3|kz4|kz5|kz6|kz7|kz8|kz9)[0-9][ -]?[0-9a-z]{4}[ -]?[0-9a-z]{4}[ -]?[0-9a-z]{3,4}([ -]?[0-9a-z]{1,4}){0,5}/
        $l = /(lb0|lb1|lb2|lb3|lb4|lb5|lb6|lb7|lb8|lb9|lc0|lc1|lc2|lc3|lc4|lc5|lc6|lc7|lc8|lc9|li0|li1|li2|li3|li4|li5|li6|li7|li8|li9|lt0|lt1|lt2|lt3|lt4|lt5|lt6|lt7|lt8|lt9|lu0|lu1|lu2|lu3|lu4|lu5|lu6|lu7|lu8|lu9|lv0|lv1|lv2|lv3|lv4|lv5|lv6|lv7|lv8|lv9|ly0|ly1|ly2|ly3|ly4|ly5|ly6|ly7|ly8|ly9)[0-9][ -]?[0-9a-z]{4}[ -]?[0-9a-z]{4}[ -]?[0-9a-z]{3,4}([ -]?[0-9a-z]{1,4}){0,5}/
        $m = /(mc0|mc1|mc2|mc3|mc4|mc5|mc6|mc7|mc8|mc9|md0|md1|md2|md3|md4|md5|md6|md7|md8|md9|me0|me1|me2|me3|me4|me5|me6|me7|me8|me9|mk0|mk1|mk2|mk3|mk4|mk5|mk6|mk7|mk8|mk9|mn0|mn1|mn2|mn3|mn4|mn5|mn6|mn7|mn8|mn9|mr0|mr1|mr2|mr3|mr4|mr5|mr6|mr7|mr8|mr9|mt0|mt1|mt2|mt3|mt4|mt5|mt6|mt7|mt8|mt9|mu0|mu1|mu2|mu3|mu4|mu5|mu6|mu7|mu8|mu9)[0-9][ -]?[0-9a-z]{4}[ -]?[0-9a-z]{4}[ -]?[0-9a-z]{3,4}([ -]?[0-9a-z]{1,4}){0,5}/
        $n = /(ni0|ni1|ni2|ni3|ni4|ni5|ni6|ni7|ni8|ni9|nl0|nl1|nl2|nl3|nl4|nl5|nl6|nl7|nl8|nl9|no0|no1|no2|no3|no4|no5|no6|no7|no8|no9)[0-9][ -]?[0-9a-z]{4}[ -]?[0-9a-z]{4}[ -]?[0-9a-z]{3,4}([ -]?[0-9a-z]{1,4}){0,5}/
        $o = /(om0|om1|om2|om3|om4|om5|om6|om7|om8|om9)[0-9][ -]?[0-9a-z]{4}[ -]?[0-9a-z]{4}[ -]?[0-9a-z]{3,4}([ -]?[0-9a-z]{1,4}){0,5}/
        $p = /(pk0|pk1|pk2|pk3|pk4|pk5|pk6|pk7|pk8|pk9|pl0|pl1|pl2|pl3|pl4|pl5|pl6|pl7|pl8|pl9|ps0|ps1|ps2|ps3|ps4|ps5|ps6|ps7|ps8|ps9|pt0|pt1|pt2|pt3|pt4|pt5|pt6|pt7|pt8|pt9)[0-9][ -]?[0-9a-z]{4}[ -]?[0-9a-z]{4}[ -]?[0-9a-z]{3,4}([ -]?[0-9a-z]{1,4}){0,5}/
        $q = /(qa0|qa1|qa2|qa3|qa4|qa5|qa6|qa7|qa8|qa9)[0-9][ -]?[0-9a-z]{4}[ -]?[0-9a-z]{4}[ -]?[0-9a-z]{3,4}([ -]?[0-9a-z]{1,4}){0,5}/
        $r = /(ro0|ro1|ro2|ro3|ro4|ro5|ro6|ro7|ro8|ro9|rs0|rs1|rs2|rs3|rs4|rs5|rs6|rs7|rs8|rs9|ru0|ru1|ru2|ru3|ru4|ru5|ru6|ru7|ru8|ru9)[0-9][ -]?[0-9a-z]{4}[ -]?[0-9a-z]{4}[ -]?[0-9a-z]{3,4}([ -]?[0-9a-z]{1,4}){0,5}/
        $s = /(sa0|sa1|sa2|sa3|sa4|sa5|sa6|sa7|sa8|sa9|sc0|sc1|sc2|sc3|sc4|sc5|sc6|sc7|sc8|sc9|sd0|sd1|sd2|sd3|sd4|sd5|sd6|sd7|sd8|sd9|se0|se1|se2|se3|se4|se5|se6|se7|se8|se9|si0|si1|si2|si3|si4|si5|si6|si7|si8|si9|sk0|sk1|sk2|sk3|sk4|sk5|sk6|sk7|sk8|sk9|sm0|sm1|sm2|sm3|sm4|sm5|sm6|sm7|sm8|sm9|so0|so1|so2|so3|so4|so5|so6|so7|so8|so9|st0|st1|st2|st3|st4|st5|st6|st7|st8|st9|sv0|sv1|sv2|sv3|sv4|sv5|sv6|sv7|sv8|sv9)[0-9][ -]?[0-9a-z]{4}[ -]?[0-9a-z]{4}[ -]?[0-9a-z]{3,4}([ -]?[0-9a-z]{1,4}){0,5}/
        $t = /(tl0|tl1|tl2|tl3|tl4|tl5|tl6|tl7|tl8|tl9|tn0|tn1|tn2|tn3|tn4|tn5|tn6|tn7|tn8|tn9|tr0|tr1|tr2|tr3|tr4|tr5|tr6|tr7|tr8|tr9)[0-9][ -]?[0-9a-z]{4}[ -]?[0-9a-z]{4}[ -]?[0-9a-z]{3,4}([ -]?[0-9a-z]{1,4}){0,5}/
        $u = /(ua0|ua1|ua2|ua3|ua4|ua5|ua6|ua7|ua8|ua9)[0-9][ -]?[0-9a-z]{4}[ -]?[0-9a-z]{4}[ -]?[0-9a-z]{3,4}([ -]?[0-9a-z]{1,4}){0,5}/
        $v = /(va0|va1|va2|va3|va4|va5|va6|va7|va8|va9|vg0|vg1|vg2|vg3|vg4|vg5|vg6|vg7|vg8|vg9)[0-9][ -]?[0-9a-z]{4}[ -]?[0-9a-z]{4}[ -]?[0-9a-z]{3,4}([ -]?[0-9a-z]{1,4}){0,5}/
        $x = /(xk0|xk1|xk2|xk3|xk4|xk5|xk6|xk7|xk8|xk9)[0-9][ -]?[0-9a-z]{4}[ -]?[0-9a-z]{4}[ -]?[0-9a-z]{3,4}([ -]?[0-9a-z]{1,4}){0,5}/
        $y = /(ye0|ye1|ye2|ye3|ye4|ye5|ye6|ye7|ye8|ye9)[0-9][ -]?[0-9a-z]{4}[ -]?[0-9a-z]{4}[ -]?[0-9a-z]{3,4}([ -]?[0-9a-z]{1,4}){0,5}/
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
        $groups = /[0-9]{2}(0-|1-|2-|3-|4-|5-|6-|7-|8-|9-|0 |1 |2 |3 |4 |5 |6 |7 |8 |9 )[0-9]{2}[ -][0-9]{4}/
        $named = /(ssn|social security (number|no\.?))[^0-9]{0,20}[0-9]{9}/
    condition:
        any of them
}

/* Source code. The anchors are constructs that begin files; the validator asks how much of the window is code. */

rule source_code
{
    meta:
        title = "Source code without an open licence"
        title_zh = "源代码（无开源许可）"
        category = "source-code"
        confidence = 75
        validator = "source_code"
        on = "text"
    strings:
        $c = /#include ?[<"]/
        $java1 = /import (java|javax|org|com)\.[a-z]/
        $java2 = /(public|private|protected) (static |final |abstract )?(class|interface|enum|void|int|string) /
        $python1 = /from [a-z_][a-z0-9_.]{0,60} import /
        $python2 = /def [a-z_][a-z0-9_]{0,60}\(/
        $go = /func (\([a-z]|[a-z])/
        $rust = /fn [a-z_][a-z0-9_]{0,60}[(<]/
        $js1 = /function [a-z_$][a-z0-9_$]{0,60}\(/
        $js2 = /const [a-z_$][a-z0-9_$]{0,60} = /
        $cs = /using [a-z][a-z0-9_.]{0,60};/
        $cpp = /namespace [a-z_]/
    condition:
        2 of them or #python2 > 2 or #js1 > 2 or #c > 1
}

rule proprietary_source
{
    meta:
        title = "Source code whose header claims it"
        title_zh = "带专有声明的源代码"
        category = "source-code"
        confidence = 85
        validator = "proprietary_source"
        on = "text"
    strings:
        $claim1 = /unauthori(s|z)ed (copying|use|distribution|reproduction)/
        $claim2 = "proprietary" fullword
        $claim3 = "all rights reserved"
        $claim4 = "trade secret" fullword
        $claim5 = /未经(授权|许可|书面)/
        $claim6 = "保留所有权利"
        $claim7 = "版权所有"
    condition:
        any of them
}

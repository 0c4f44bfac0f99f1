/* What shows how a network is built and guarded. */

rule device_configuration
{
    meta:
        title = "Configuration of a router, switch or firewall"
        title_zh = "路由器、交换机、防火墙配置"
        category = "network-security"
        confidence = 80
        validator = "device_configuration"
        on = "text"
    strings:
        $cisco1 = "interface gigabit"
        $cisco2 = "interface fast"
        $cisco3 = "interface vlan"
        $cisco5 = "enable secret "
        $huawei1 = "sysname "
        $huawei2 = "interface xgig"
        $iptables1 = "-a input -"
        $iptables2 = "-a forward -"
        $forti1 = "config firewall "
        $forti2 = "config system interface"
        $junos1 = "set interfaces "
        $junos2 = "set security "
    condition:
        any of them
}

rule network_plan
{
    meta:
        title = "Plan or inventory of a network with its addresses"
        title_zh = "网络规划、拓扑与资产清单（含地址）"
        category = "network-security"
        confidence = 75
        validator = "network_plan"
        on = "text"
    strings:
        $zh1 = "管理ip"
        $zh2 = "管理地址"
        $zh3 = "管理网段"
        $zh4 = "内网ip"
        $zh5 = "内网地址"
        $zh6 = "内网网段"
        $zh7 = "外网ip"
        $zh8 = "外网地址"
        $zh9 = "外网网段"
        $zh10 = "公网ip"
        $zh11 = "公网地址"
        $zh12 = "公网网段"
        $zh13 = "ip 地址"
        $zh14 = "ip地址"
        $zh15 = "网络规划"
        $zh16 = "网络拓扑"
        $zh17 = "网络设备清单"
        $zh18 = "网络资产"
        $zh19 = "子网掩码"
        $en1 = "ip address" fullword
        $en2 = "subnet mask" fullword
        $en3 = "hostname" fullword
        $en4 = "network diagram" fullword
        $en5 = "network topology" fullword
        $en6 = "network plan" fullword
        $en7 = "network inventory" fullword
    condition:
        any of them
}

rule vpn_configuration
{
    meta:
        title = "Configuration of a VPN with its key"
        title_zh = "VPN 配置（含密钥）"
        category = "network-security"
        confidence = 90
        on = "text"
    strings:
        $wireguard = /\[interface\]\n[^\[]{0,200}privatekey ?= ?[a-z0-9+\/]{43}=/
        $openvpn = /-----begin openvpn static key v1-----\n[0-9a-f]{32}/
        $psk = /(pre-shared-key|psksecret|ikev[12] psk|ipsec_secrets)[ :]{1,3}(ascii-text |ciphertext |cipher |enc )?"?[!-~]{8,128}/
        $ipsec_secrets = /: psk "[^"\n]{6,128}"/
    condition:
        any of them
}

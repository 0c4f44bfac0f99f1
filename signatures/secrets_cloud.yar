// Keys of clouds beyond those in secrets.yar. Each pattern holds a literal of three letters or more that is rare in other
// texts; alphabet and length are the vendor's, randomness and examples are asked by the validators.

rule aws_secret_key
{
    meta:
        title = "Secret key of Amazon Web Services"
        title_zh = "亚马逊云 Secret Access Key"
        category = "credentials"
        confidence = 90
        validator = "assigned_token"
        on = "text|raw"
    strings:
        $key = /(aws_secret|aws_session|aws-secret|aws\.secret|awssecret)[a-z0-9_ .-]{0,20}["']?\s{0,3}[:=]\s{0,3}["']?[a-z0-9\/+]{40}/ nocase
        $sdk = /secretaccesskey["']?\s{0,3}[:=]\s{0,3}["']?[a-z0-9\/+]{40}/ nocase
    condition:
        any of them
}

rule azure_client_secret
{
    meta:
        title = "Client secret of Microsoft Entra (Azure AD)"
        title_zh = "微软 Entra（Azure AD）客户端密码"
        category = "credentials"
        confidence = 90
        validator = "token_about"
        on = "text|raw"
    strings:
        $secret = /8q~[a-z0-9_~.-]{31,34}/ nocase
    condition:
        $secret
}

rule azure_shared_signature
{
    meta:
        title = "Shared access signature of Azure"
        title_zh = "Azure 共享访问签名（SAS）"
        category = "credentials"
        confidence = 85
        validator = "cased_token"
        on = "text|raw"
    strings:
        $sas = /sv=20[0-9]{2}-[0-9]{2}-[0-9]{2}&[!-~]{10,300}sig=[a-z0-9%\/+]{40,60}(%3d|=)/ nocase
    condition:
        $sas
}

rule google_oauth_secret
{
    meta:
        title = "OAuth secret or access token of Google"
        title_zh = "谷歌 OAuth 密钥或访问令牌"
        category = "credentials"
        confidence = 90
        validator = "cased_token"
        on = "text|raw"
    strings:
        $secret = /gocspx-[a-z0-9_-]{28}/ nocase
        $access = /ya29\.[a-z0-9_-]{40,300}/ nocase
    condition:
        any of them
}

rule aliyun_secret_key
{
    meta:
        title = "AccessKey secret or security token of Alibaba Cloud"
        title_zh = "阿里云 AccessKeySecret"
        category = "credentials"
        confidence = 90
        validator = "assigned_token"
        on = "text|raw"
    strings:
        $secret = /(aliyun|alibaba|alicloud|oss|accesskey)[a-z0-9_ .-]{0,20}secret["']?\s{0,3}[:=]\s{0,3}["']?[a-z0-9]{30}/ nocase
    condition:
        $secret
}

rule tencent_secret_key
{
    meta:
        title = "Secret key of Tencent Cloud, beside its id"
        title_zh = "腾讯云 SecretKey"
        category = "credentials"
        confidence = 90
        validator = "assigned_token"
        on = "text|raw"
    strings:
        $key = /secret_?key["']?\s{0,3}[:=]\s{0,3}["']?[a-z0-9]{32}/ nocase
        $id = /akid[0-9a-z]{32}/ nocase private
    condition:
        all of them
}

rule huawei_cloud_key
{
    meta:
        title = "Secret access key of Huawei Cloud"
        title_zh = "华为云 SK（Secret Access Key）"
        category = "credentials"
        confidence = 85
        validator = "assigned_token"
        on = "text|raw"
    strings:
        $sk = /(huawei|hwcloud|hwc|hw_|obs_?|os_)[a-z0-9_ .-]{0,20}(secret|sk)[a-z_]{0,12}["']?\s{0,3}[:=]\s{0,3}["']?[a-z0-9]{40}/ nocase
    condition:
        $sk
}

rule china_cloud_key
{
    meta:
        title = "Key of Volcengine, Baidu Cloud or JD Cloud"
        title_zh = "火山引擎、百度云、京东云密钥"
        category = "credentials"
        confidence = 85
        validator = "cased_token"
        on = "text|raw"
    strings:
        $volcengine = /aklt[a-z0-9]{40,48}/ nocase
        $baidu = /altak-?[a-z0-9]{18,24}/ nocase
        $baidu_3 = /bce-v3\/altak-[a-z0-9]{20,24}\/[0-9a-f]{40}/ nocase
        $jd = /jdc_[a-z0-9]{24,32}/ nocase
    condition:
        any of them
}

rule hosting_token
{
    meta:
        title = "Token of a hosting provider (DigitalOcean, Netlify, Supabase, Fly, Cloudflare …)"
        title_zh = "托管服务令牌（DigitalOcean、Netlify、Supabase、Cloudflare 等）"
        category = "credentials"
        confidence = 90
        validator = "cased_token"
        on = "text|raw"
    strings:
        $digitalocean = /(dop|doo|dor)_v1_[a-f0-9]{64}/ nocase
        $netlify = /nfp_[a-z0-9]{36,40}/ nocase
        $supabase = /sbp_[a-f0-9]{40}/ nocase
        $fly = /fm2_[a-z0-9+\/=]{60,600}/ nocase
        $cloudflare = /v1\.0-[a-f0-9]{24}-[a-f0-9]{100,160}/ nocase
        $planetscale = /pscale_(tkn|oauth|pw)_[a-z0-9_.=-]{32,64}/ nocase
        $heroku = /hrku-[a-z0-9_-]{36,64}/ nocase
        $scaleway = /scw_?secret_?key["']?\s{0,3}[:=]\s{0,3}["']?[a-f0-9]{8}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{12}/ nocase
    condition:
        any of them
}

// Keys, tokens and passwords. Every pattern begins with, or holds, a literal that is rare in other texts; randomness
// and placeholders are asked by the validators, which see the original with its capitals.

rule private_key
{
    meta:
        title = "Private key"
        title_zh = "私钥"
        category = "credentials"
        confidence = 95
        validator = "private_key"
        on = "text|raw"
    strings:
        $pem = /-----begin ([a-z0-9]{2,9} ){0,2}private key( block)?-----/ nocase
        $ssh2 = "---- begin ssh2 encrypted private key ----" nocase
        $putty = /putty-user-key-file-[23]: / nocase
    condition:
        any of them
}

rule aws_access_key
{
    meta:
        title = "Access key of Amazon Web Services"
        title_zh = "亚马逊云访问密钥"
        category = "credentials"
        confidence = 90
        validator = "access_key"
        on = "text|raw"
    strings:
        $id = /(akia|asia|abia|acca)[a-z2-7]{16}/ nocase
    condition:
        $id
}

rule gcp_service_account
{
    meta:
        title = "Service account key of Google Cloud"
        title_zh = "谷歌云服务账号密钥"
        category = "credentials"
        confidence = 95
        on = "text|raw"
    strings:
        $type = /"type"\s{0,4}:\s{0,4}"service_account"/ nocase
        $key = /"private_key"\s{0,4}:\s{0,4}"-----begin/ nocase
    condition:
        all of them
}

rule google_api_key
{
    meta:
        title = "API key of Google"
        title_zh = "谷歌 API 密钥"
        category = "credentials"
        confidence = 85
        validator = "token"
        on = "text|raw"
    strings:
        $key = /aiza[0-9a-z_-]{35}/ nocase
    condition:
        $key
}

rule azure_storage_key
{
    meta:
        title = "Storage or service bus key of Azure"
        title_zh = "Azure 存储或服务总线密钥"
        category = "credentials"
        confidence = 90
        validator = "token"
        on = "text|raw"
    strings:
        $account = /accountkey=[a-z0-9+\/]{86}==/ nocase
        $shared = /sharedaccesskey=[a-z0-9+\/]{43}=/ nocase
    condition:
        any of them
}

rule github_token
{
    meta:
        title = "Token of GitHub"
        title_zh = "GitHub 令牌"
        category = "credentials"
        confidence = 95
        validator = "token"
        on = "text|raw"
    strings:
        $classic = /(ghp|gho|ghu|ghs|ghr)_[0-9a-z]{36}/ nocase
        $fine = /github_pat_[0-9a-z_]{60,90}/ nocase
    condition:
        any of them
}

rule gitlab_token
{
    meta:
        title = "Token of GitLab"
        title_zh = "GitLab 令牌"
        category = "credentials"
        confidence = 90
        validator = "token"
        on = "text|raw"
    strings:
        $token = /(glpat|gldt|glrt|glptt|glcbt|glsoat)-[0-9a-z_-]{20,64}/ nocase
    condition:
        $token
}

rule slack_token
{
    meta:
        title = "Token or webhook of Slack"
        title_zh = "Slack 令牌或网络钩子"
        category = "credentials"
        confidence = 90
        validator = "token"
        on = "text|raw"
    strings:
        $token = /xox[abeoprs]-[0-9a-z-]{20,160}/ nocase
        $hook = /hooks\.slack\.com\/(services|workflows|triggers)\/[0-9a-z\/_+]{30,90}/ nocase
    condition:
        any of them
}

rule stripe_key
{
    meta:
        title = "Live key of Stripe"
        title_zh = "Stripe 正式密钥"
        category = "credentials"
        confidence = 90
        validator = "token"
        on = "text|raw"
    strings:
        $key = /(sk|rk)_live_[0-9a-z]{24,99}/ nocase
    condition:
        $key
}

rule json_web_token
{
    meta:
        title = "JSON Web Token"
        title_zh = "JSON 网络令牌（JWT）"
        category = "credentials"
        confidence = 80
        validator = "jwt"
        on = "text|raw"
    strings:
        $token = /eyj[0-9a-z_-]{10,500}\.eyj[0-9a-z_-]{10,2000}\.[0-9a-z_-]{20,700}/ nocase
    condition:
        $token
}

rule aliyun_access_key
{
    meta:
        title = "Access key of Alibaba Cloud"
        title_zh = "阿里云访问密钥"
        category = "credentials"
        confidence = 85
        validator = "access_key"
        on = "text|raw"
    strings:
        $id = /ltai[0-9a-z]{12,26}/ nocase
    condition:
        $id
}

rule tencent_secret_id
{
    meta:
        title = "Secret id of Tencent Cloud"
        title_zh = "腾讯云 SecretId"
        category = "credentials"
        confidence = 85
        validator = "access_key"
        on = "text|raw"
    strings:
        $id = /akid[0-9a-z]{32}/ nocase
    condition:
        $id
}

rule package_registry_token
{
    meta:
        title = "Token of a package registry (npm, PyPI)"
        title_zh = "软件包仓库令牌（npm、PyPI）"
        category = "credentials"
        confidence = 95
        validator = "token"
        on = "text|raw"
    strings:
        $npm = /npm_[0-9a-z]{36}/ nocase
        $pypi = /pypi-ageichlwas5vcmc[0-9a-z_-]{50,200}/ nocase
    condition:
        any of them
}

rule password_assignment
{
    meta:
        title = "Password or key in the clear"
        title_zh = "明文密码或密钥"
        category = "credentials"
        confidence = 60
        validator = "password"
        on = "text"
    strings:
        $password = /(password|passwd|passphrase|pwd)["']?\s{0,3}[:=]\s{0,3}["']?[!-~]{8,128}/ nocase
        $secret = /(secret|api|access|private|auth|client)[_-]?(key|secret|token|key_secret|keysecret)["']?\s{0,3}[:=]\s{0,3}["']?[!-~]{8,128}/ nocase
        $chinese = /(密码|口令|密钥|秘钥)(是|为)?\s{0,3}[:=]\s{0,3}["']?[!-~]{8,128}/
    condition:
        any of them
}

rule connection_string
{
    meta:
        title = "Address of a service with its password"
        title_zh = "带密码的服务连接地址"
        category = "credentials"
        confidence = 80
        validator = "url_password"
        on = "text"
    strings:
        $url = /(mysql|mariadb|postgres|postgresql|mongodb|redis|rediss|amqp|amqps|mssql|sqlserver|oracle|clickhouse|ftp|sftp|ldap|smtp|smtps|https|http)(\+[a-z0-9]{2,12})?:\/\/[!-9;-~]{0,64}:[!-?A-~]{4,128}@[0-9a-z\[]/ nocase
    condition:
        $url
}

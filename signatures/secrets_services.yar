// Tokens of services: development, artificial intelligence, messages, mail, trade. One rule for each kind of service, so that a
// policy and a false positive can name it. Shapes are those their makers publish for secret scanning.

rule ai_service_key
{
    meta:
        title = "Key of an artificial intelligence service"
        title_zh = "人工智能服务密钥（OpenAI、Anthropic、Hugging Face、通义、DeepSeek 等）"
        category = "credentials"
        confidence = 90
        validator = "cased_token"
        on = "text|raw"
    strings:
        $openai = /sk-[a-z0-9_-]{20,100}t3blbkfj[a-z0-9_-]{20,100}/ nocase
        $openai_project = /sk-(proj|svcacct|admin)-[a-z0-9_-]{40,200}/ nocase
        $anthropic = /sk-ant-(api|admin)[0-9]{2}-[a-z0-9_-]{80,120}/ nocase
        $hex = /sk-[a-f0-9]{32}/ nocase
        $router = /sk-or-v1-[a-f0-9]{64}/ nocase
        $huggingface = /hf_[a-z]{34}/ nocase
        $groq = /gsk_[a-z0-9]{52}/ nocase
        $replicate = /r8_[a-z0-9]{37}/ nocase
        $perplexity = /pplx-[a-z0-9]{48}/ nocase
    condition:
        any of them
}

rule bot_token
{
    meta:
        title = "Token of a bot or application in a messenger (Telegram, Feishu, WeChat)"
        title_zh = "机器人或应用令牌（Telegram、飞书、微信公众号/企业微信）"
        category = "credentials"
        confidence = 90
        validator = "bot_token"
        on = "text|raw"
    strings:
        $telegram = /:aa[a-z0-9_-]{33}/ nocase
        $feishu = /cli_[a-f0-9]{16}["']?[^\n]{0,10}\s{0,4}[^\n]{0,10}app_?secret["']?\s{0,3}[:=]\s{0,3}["']?[a-z0-9]{32}/ nocase
        $wechat = /app_?secret["']?\s{0,3}[:=]\s{0,3}["']?[a-f0-9]{32}/ nocase
        $wecom = /corp_?secret["']?\s{0,3}[:=]\s{0,3}["']?[a-z0-9_-]{43}/ nocase
    condition:
        any of them
}

rule chat_webhook
{
    meta:
        title = "Webhook of a group chat (Feishu, DingTalk, WeCom, Teams, Discord)"
        title_zh = "群机器人网络钩子（飞书、钉钉、企业微信、Teams、Discord）"
        category = "credentials"
        confidence = 90
        validator = "cased_token"
        on = "text|raw"
    strings:
        $feishu = /open\.(feishu\.cn|larksuite\.com)\/open-apis\/bot\/v2\/hook\/[a-f0-9-]{36}/ nocase
        $dingtalk = /oapi\.dingtalk\.com\/robot\/send\?access_token=[a-f0-9]{64}/ nocase
        $wecom = /qyapi\.weixin\.qq\.com\/cgi-bin\/webhook\/send\?key=[a-f0-9-]{36}/ nocase
        $teams = /webhook\.office\.com\/webhookb2\/[a-z0-9@-]{36,80}\/incomingwebhook\/[a-z0-9]{32}\/[a-f0-9-]{36}/ nocase
        $discord = /discord(app)?\.com\/api\/webhooks\/[0-9]{17,20}\/[a-z0-9_-]{60,72}/ nocase
    condition:
        any of them
}

rule developer_token
{
    meta:
        title = "Token of a development service (Docker, RubyGems, NuGet, Atlassian, Notion …)"
        title_zh = "研发服务令牌（Docker、RubyGems、NuGet、Atlassian、Notion 等）"
        category = "credentials"
        confidence = 90
        validator = "cased_token"
        on = "text|raw"
    strings:
        $docker = /dckr_(pat|oat)_[a-z0-9_-]{27,36}/ nocase
        $rubygems = /rubygems_[a-f0-9]{48}/ nocase
        $nuget = /oy2[a-z0-9]{43}/ nocase
        $atlassian = /atatt3[a-z0-9_=-]{150,200}/ nocase
        $postman = /pmak-[a-f0-9]{24}-[a-f0-9]{34}/ nocase
        $linear = /lin_api_[a-z0-9]{40}/ nocase
        $notion = /ntn_[0-9]{11}[a-z0-9]{35}/ nocase
        $figma = /figd_[a-z0-9_-]{40}/ nocase
    condition:
        any of them
}

rule infrastructure_token
{
    meta:
        title = "Token of an infrastructure service (Vault, Terraform, Grafana, Sentry, Databricks …)"
        title_zh = "基础设施服务令牌（Vault、Terraform、Grafana、Sentry、Databricks 等）"
        category = "credentials"
        confidence = 90
        validator = "cased_token"
        on = "text|raw"
    strings:
        $databricks = /dapi[a-f0-9]{32}(-[0-9])?/ nocase
        $vault = /(hvs|hvb)\.[a-z0-9_-]{90,180}/ nocase
        $terraform = /[a-z0-9]{14}\.atlasv1\.[a-z0-9_=-]{60,70}/ nocase
        $grafana = /(glsa_[a-z0-9]{32}_[a-f0-9]{8}|glc_[a-z0-9+\/]{32,400})/ nocase
        $sentry = /(sntrys_[a-z0-9+\/=_]{40,400}|sntryu_[a-f0-9]{64})/ nocase
        $newrelic = /nrak-[a-z0-9]{27}/ nocase
        $doppler = /dp\.(pt|st|ct)\.[a-z0-9._-]{40,60}/ nocase
        $pulumi = /pul-[a-f0-9]{40}/ nocase
        $age = /age-secret-key-1[a-z0-9]{58}/ nocase
        $sonar = /sq(u|p|a)_[a-f0-9]{40}/ nocase
        $artifactory = /akcp[a-z0-9]{60,72}/ nocase
    condition:
        any of them
}

rule mail_service_key
{
    meta:
        title = "Key of a mail or message service (SendGrid, Mailgun, Mailchimp, Brevo, Twilio)"
        title_zh = "邮件、短信服务密钥（SendGrid、Mailgun、Twilio 等）"
        category = "credentials"
        confidence = 85
        validator = "cased_token"
        on = "text|raw"
    strings:
        $sendgrid = /sg\.[a-z0-9_-]{22}\.[a-z0-9_-]{43}/ nocase
        $mailgun = /key-[a-f0-9]{32}/ nocase
        $mailchimp = /[a-f0-9]{32}-us[0-9]{1,2}/ nocase
        $brevo = /xkeysib-[a-f0-9]{64}-[a-z0-9]{16}/ nocase
        $twilio = /twilio[a-z_ ]{0,20}["']?\s{0,3}[:=]\s{0,3}["']?[a-f0-9]{32}/ nocase
    condition:
        any of them
}

rule commerce_key
{
    meta:
        title = "Key of a payment or shop service (Shopify, Square, PayPal, Adyen)"
        title_zh = "支付、电商服务密钥（Shopify、Square、PayPal 等）"
        category = "credentials"
        confidence = 90
        validator = "cased_token"
        on = "text|raw"
    strings:
        $shopify = /shp(at|ca|pa|ss)_[a-f0-9]{32}/ nocase
        $square = /sq0(atp|csp)-[a-z0-9_-]{22,43}/ nocase
        $paypal = /access_token\$production\$[a-z0-9]{16}\$[a-f0-9]{32}/ nocase
        $adyen = /aqe[a-z0-9+\/]{5,10}[a-z0-9+\/=*^.-]{60,400}-[a-z0-9+\/=]{30,60}-[!-~]{10,20}/ nocase
        $stripe_hook = /whsec_[a-z0-9+\/]{32,44}/ nocase
    condition:
        any of them
}

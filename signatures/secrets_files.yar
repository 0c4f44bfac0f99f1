// Passwords where programs and people keep them: files of clients and servers, connection strings, mail.

rule netrc_line
{
    meta:
        title = "Login of a .netrc file"
        title_zh = ".netrc 登录信息"
        category = "credentials"
        confidence = 85
        validator = "spaced_password"
        on = "text"
    strings:
        $line = /machine\s{1,4}[!-~]{3,100}\s{1,8}login\s{1,4}[!-~]{1,100}\s{1,8}password\s{1,4}[!-~]{4,128}/
    condition:
        $line
}

rule pgpass_line
{
    meta:
        title = "Line of a PostgreSQL password file"
        title_zh = ".pgpass 口令行"
        category = "credentials"
        confidence = 80
        validator = "last_field_password"
        on = "text"
    strings:
        $line = /:(5432|5433|6432|1433|3306):[a-z0-9_*-]{1,63}:[a-z0-9_-]{1,63}:[!-~]{4,128}/
    condition:
        $line
}

rule password_hash_line
{
    meta:
        title = "Password hashes of a system (shadow, htpasswd, SAM, LDIF)"
        title_zh = "系统口令散列（shadow、htpasswd、SAM、LDIF）"
        category = "credentials"
        confidence = 90
        validator = "hash_line"
        on = "text"
    strings:
        $crypt = /:\$(1|5|6|7|y|2y|2a|2b|apr1|gy|argon2id|scrypt)\$[!-~]{20,200}/
        $sha = /:\{(sha|ssha|ssha512|sha512|crypt)\}[a-z0-9+\/=.$]{20,120}/
        $ldif = /userpassword:{1,2} [!-~]{16,200}/
        $sam = /:aad3b435b51404eeaad3b435b51404ee:[a-f0-9]{32}:::/
    condition:
        any of them
}

rule kubeconfig_secret
{
    meta:
        title = "Credentials of a kubeconfig file or Kubernetes secret"
        title_zh = "kubeconfig 或 Kubernetes Secret 中的凭据"
        category = "credentials"
        confidence = 90
        validator = "kube_secret"
        on = "text|raw"
    strings:
        $key = /client-key-data:\s{1,4}["']?[a-z0-9+\/]{100,4000}/ nocase
        $token = /token:\s{1,4}["']?(eyj[a-z0-9_.-]{60,3000}|[a-f0-9]{32,128})/ nocase
        $kind = /kind:\s{1,4}["']?(config|secret)/ nocase private
    condition:
        $kind and ($key or $token)
}

rule registry_login
{
    meta:
        title = "Login kept by a client (Docker config, npmrc, pip, Maven settings)"
        title_zh = "客户端保存的登录信息（Docker、npm、Maven 等）"
        category = "credentials"
        confidence = 85
        validator = "basic_login"
        on = "text|raw"
    strings:
        $docker = /"auth"\s{0,4}:\s{0,4}"[a-z0-9+\/]{12,400}={0,2}"/ nocase
        $npm = /:_(auth|password)\s{0,3}=\s{0,3}["']?[a-z0-9+\/]{12,200}={0,2}/ nocase
        $basic = /authorization["']?\s{0,3}[:=]\s{0,3}["']?basic [a-z0-9+\/]{12,200}={0,2}/ nocase
    condition:
        any of them
}

rule jdbc_password
{
    meta:
        title = "JDBC, ODBC or ADO.NET connection with its password"
        title_zh = "带密码的 JDBC、ODBC、ADO.NET 连接串"
        category = "credentials"
        confidence = 85
        validator = "parameter_password"
        on = "text"
    strings:
        $jdbc = /jdbc:[a-z0-9:]{3,40}[!-~]{3,200}[?&;](password|pwd)=[^\s&;"'<]{4,128}/
        $oracle = /jdbc:oracle:thin:[a-z0-9_]{1,63}\/[^\s@\/"']{4,128}@/
        $odbc = /(server|data source|host|addr|address|dsn|driver) ?=[^\n"']{3,200};\s?(password|pwd) ?= ?[^\s;"'<]{4,128}/
    condition:
        any of them
}

rule url_login
{
    meta:
        title = "Address of a service with its login, other schemes"
        title_zh = "带登录信息的服务地址（其他协议）"
        category = "credentials"
        confidence = 75
        validator = "url_password"
        on = "text"
    strings:
        $url = /(kafka|nats|mqtt|mqtts|imap|imaps|pop3|pop3s|ldaps|ftps|ssh|git|rtsp|rtmp|vnc|rdp|elasticsearch|influxdb|cassandra|neo4j|bolt|couchbase|memcached|etcd|consul|stomp|ws|wss|socks5|cockroachdb|snowflake|dm|kingbase|opengauss|oceanbase|tidb|hive2|presto|trino|sqlserver):\/\/[!-9;-~]{1,64}:[!-?A-~]{4,128}@[0-9a-z\[]/
    condition:
        $url
}

rule password_told
{
    meta:
        title = "Password told in a message"
        title_zh = "邮件、聊天中告知的密码"
        category = "password-told"
        confidence = 60
        validator = "told_password"
        on = "text"
    strings:
        $zh = /(密码|口令)(已)?(重置为|改为|设为|改成|是|为|:) ?("|'|“|「)?[!-~]{6,64}/
        $zh_login = /(用户名|账号|帐号)(是|为|:)? ?[!-~]{2,40}( |\n|,|;|。){1,4}(登录|初始|默认)?密码(是|为|:)? ?[!-~]{6,64}/
        $en = /(password|passcode|passphrase) (is|was reset to|has been set to|will be|changed to)[ :]{1,3}("|'|“)?[!-~]{6,64}/
        $en_login = /(username|user name|login|user) ?[:=] ?[!-~]{2,64}[ \n,;]{1,4}(password|pass|pwd|pw) ?[:=] ?[!-~]{6,64}/
    condition:
        any of them
}

rule windows_unattended_password
{
    meta:
        title = "Password in a Windows answer file, group policy or Wi-Fi profile"
        title_zh = "Windows 应答文件、组策略或 Wi-Fi 配置中的密码"
        category = "credentials"
        confidence = 85
        validator = "markup_password"
        on = "text|raw"
    strings:
        $gpp = /cpassword="[a-z0-9+\/]{12,200}={0,2}"/ nocase
        $wifi = /<keymaterial>[^<]{8,128}<\/keymaterial>/ nocase
        $answer = /<(administratorpassword|password)>\s{0,8}<value>[^<]{4,200}<\/value>/ nocase
        $server = /<password>[^<]{6,128}<\/password>\s{0,8}<\/(server|user|credentials|datasource|proxy)>/ nocase
    condition:
        any of them
}

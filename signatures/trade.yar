/* Papers of buying and selling: tenders, quotations, suppliers, dealers and needs, transactions; saved conversations. */

rule tender
{
    meta:
        title = "Bid or its evaluation, with prices"
        title_zh = "投标、评标文件（含报价、标底）"
        category = "bids"
        confidence = 80
        validator = "tender"
        on = "text"
    strings:
        $zh1 = "开标一览表"
        $zh2 = "开标记录"
        $zh3 = "唱标记录"
        $zh4 = "评标报告"
        $zh5 = "评标汇总"
        $zh6 = "投标函"
        $zh7 = "投标文件"
        $zh8 = "投标书"
        $zh9 = "报价一览表"
        $zh10 = "标底"
        $zh11 = "控制价"
        $zh12 = "最高限价"
        $zh13 = "投标总价"
        $zh14 = "投标报价"
        $en1 = "bid evaluation" fullword
        $en2 = "bid comparison" fullword
        $en3 = "bid opening" fullword
        $en4 = "bid price" fullword
        $en5 = "tender evaluation" fullword
        $en6 = "tender opening" fullword
        $en7 = "tender price" fullword
        $en8 = "form of tender" fullword
        $en9 = "sealed bid" fullword
    condition:
        any of them
}

rule quotation
{
    meta:
        title = "Quotation with customer, prices and terms of payment"
        title_zh = "报价单（客户、价格、付款方式）"
        category = "pricing"
        confidence = 80
        validator = "quotation"
        on = "text"
    strings:
        $zh1 = "报价单"
        $zh2 = "报价表"
        $zh3 = "报价书"
        $zh4 = "报价函"
        $zh5 = "报价明细"
        $zh6 = "价格表"
        $zh7 = "价格单"
        $zh8 = "价格体系"
        $zh9 = "价格政策"
        $zh10 = "形式发票"
        $en1 = "quotation" fullword
        $en2 = "price quote" fullword
        $en3 = "price list" fullword
        $en4 = "price offer" fullword
        $en5 = "pro forma invoice" fullword
        $en6 = "proforma invoice" fullword
        $en7 = "commercial offer" fullword
    condition:
        any of them
}

rule supplier_table
{
    meta:
        title = "Table of suppliers or partners with contacts"
        title_zh = "供应商、合作伙伴名单"
        category = "supplier-data"
        confidence = 80
        validator = "supplier_table"
        on = "text"
    strings:
        $zh1 = "供应商名称"
        $zh2 = "供应商编号"
        $zh3 = "供应商编码"
        $zh4 = "供应商代码"
        $zh5 = "供应商名录"
        $zh6 = "供应商名单"
        $zh7 = "供应商清单"
        $zh8 = "供应商信息"
        $zh9 = "供应商一览"
        $zh10 = "供应商档案"
        $zh11 = "供货商名称"
        $zh12 = "供货商编号"
        $zh13 = "供货商编码"
        $zh14 = "供货商代码"
        $zh15 = "供货商名录"
        $zh16 = "供货商名单"
        $zh17 = "供货商清单"
        $zh18 = "供货商信息"
        $zh19 = "供货商一览"
        $zh20 = "供货商档案"
        $zh21 = "合作伙伴名称"
        $zh22 = "合作伙伴名录"
        $zh23 = "合作伙伴名单"
        $zh24 = "合作伙伴信息"
        $zh25 = "合作单位名称"
        $zh26 = "合作单位名录"
        $zh27 = "合作单位名单"
        $zh28 = "合作单位信息"
        $zh29 = "合作方名称"
        $zh30 = "合作方名录"
        $zh31 = "合作方名单"
        $zh32 = "合作方信息"
        $zh33 = "合格供方"
        $en1 = "supplier name" fullword
        $en2 = "supplier list" fullword
        $en3 = "supplier code" fullword
        $en4 = "vendor name" fullword
        $en5 = "vendor list" fullword
        $en6 = "partner list" fullword
        $en7 = "approved suppliers" fullword
        $en8 = "approved supplier" fullword
        $en9 = "approved vendors" fullword
        $en10 = "approved vendor" fullword
    condition:
        any of them
}

rule sales_network
{
    meta:
        title = "Dealers with their territories and terms"
        title_zh = "销售网络（经销商、代理商及其条件）"
        category = "customer-data"
        confidence = 78
        validator = "sales_network"
        on = "text"
    strings:
        $zh1 = "经销商名称"
        $zh2 = "经销商名单"
        $zh3 = "经销商编号"
        $zh4 = "代理商名称"
        $zh6 = "加盟商名称"
        $en1 = "dealer name" fullword
        $en2 = "dealer list" fullword
        $en3 = "distributor name" fullword
        $en4 = "distributor list" fullword
        $en5 = "reseller name" fullword
    condition:
        any of them
}

rule sales_pipeline
{
    meta:
        title = "Opportunities and needs of customers"
        title_zh = "商机、客户需求与销售漏斗"
        category = "customer-data"
        confidence = 78
        validator = "sales_pipeline"
        on = "text"
    strings:
        $zh1 = "商机名称"
        $zh3 = "销售漏斗"
        $zh4 = "客户需求"
        $zh5 = "预计成交"
        $zh6 = "预计签约"
        $en1 = "sales pipeline" fullword
        $en2 = "opportunity name" fullword
        $en3 = "opportunity owner" fullword
        $en4 = "expected close" fullword
    condition:
        any of them
}

rule transaction_records
{
    meta:
        title = "Records of transactions or orders of customers"
        title_zh = "交易记录、订单明细、账户流水"
        category = "customer-data"
        confidence = 80
        validator = "transactions"
        on = "text"
    strings:
        $zh1 = "交易时间"
        $zh2 = "交易日期"
        $zh3 = "交易流水"
        $zh4 = "交易明细"
        $zh5 = "交易记录"
        $zh6 = "交易单号"
        $zh7 = "交易编号"
        $zh8 = "交易对账单"
        $zh9 = "订单时间"
        $zh10 = "订单日期"
        $zh11 = "订单流水"
        $zh12 = "订单明细"
        $zh13 = "订单记录"
        $zh14 = "订单单号"
        $zh15 = "订单编号"
        $zh16 = "订单对账单"
        $zh17 = "支付时间"
        $zh18 = "支付日期"
        $zh19 = "支付流水"
        $zh20 = "支付明细"
        $zh21 = "支付记录"
        $zh22 = "支付单号"
        $zh23 = "支付编号"
        $zh24 = "支付对账单"
        $zh25 = "消费时间"
        $zh26 = "消费日期"
        $zh27 = "消费流水"
        $zh28 = "消费明细"
        $zh29 = "消费记录"
        $zh30 = "消费单号"
        $zh31 = "消费编号"
        $zh32 = "消费对账单"
        $zh33 = "账户时间"
        $zh34 = "账户日期"
        $zh35 = "账户流水"
        $zh36 = "账户明细"
        $zh37 = "账户记录"
        $zh38 = "账户单号"
        $zh39 = "账户编号"
        $zh40 = "账户对账单"
        $zh41 = "银行时间"
        $zh42 = "银行日期"
        $zh43 = "银行流水"
        $zh44 = "银行明细"
        $zh45 = "银行记录"
        $zh46 = "银行单号"
        $zh47 = "银行编号"
        $zh48 = "银行对账单"
        $en1 = "transaction date" fullword
        $en2 = "transaction id" fullword
        $en3 = "transaction no" fullword
        $en4 = "transaction number" fullword
        $en5 = "transaction reference" fullword
        $en6 = "order date" fullword
        $en7 = "order id" fullword
        $en8 = "order no" fullword
        $en9 = "order number" fullword
        $en10 = "order reference" fullword
        $en11 = "posting date" fullword
        $en12 = "posting id" fullword
        $en13 = "posting no" fullword
        $en14 = "posting number" fullword
        $en15 = "posting reference" fullword
        $en16 = "value date" fullword
        $en17 = "value id" fullword
        $en18 = "value no" fullword
        $en19 = "value number" fullword
        $en20 = "value reference" fullword
        $en21 = "account statement" fullword
        $en22 = "bank statement" fullword
    condition:
        any of them
}

rule chat_export
{
    meta:
        title = "Conversation saved from a messenger"
        title_zh = "聊天记录导出"
        category = "internal-communications"
        confidence = 75
        validator = "chat_export"
        on = "text"
    strings:
        // The minute of a time beside the date's end; of the messengers' forms the shortest that is not every log's.
        $zh = /20[0-9]{2}(-|\/|年)[0-9]{1,2}(-|\/|月)[0-9]{1,2}(日)?,? (上午|下午)?[0-9]{1,2}:[0-9]{2}/
        $head1 = "聊天记录" private
        $head2 = "群聊" private
        $head3 = "chat history" private
        $head4 = "whatsapp" private
        $head5 = "slack" private
        $head6 = "消息记录" private
        $head7 = "微信" private
        $head8 = "钉钉" private
        $head9 = "飞书" private
        $head10 = "teams" private
    condition:
        #zh >= 8 and any of ($head*)
}

rule mail_store
{
    meta:
        title = "Mail store (Outlook data file, mbox, maildir archive)"
        title_zh = "邮件存档文件（PST、OST、mbox）"
        category = "internal-communications"
        confidence = 90
        on = "raw"
    strings:
        $pst = { 21 42 44 4E ?? ?? ?? ?? 53 4D }
        $foxmail = { 10 10 10 10 10 10 10 11 11 11 11 11 11 53 }
        $mbox = /From [!-~]{1,80} (Mon|Tue|Wed|Thu|Fri|Sat|Sun) (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) [ 0-9]{2} /
    condition:
        $pst at 0 or $foxmail at 0 or ($mbox at 0 and #mbox >= 10)
}

/*
 * Financial statements and budgets. The anchors are titles and totals; the validator asks for lines with figures.
 * Strings that only help the condition are private: they are no candidates.
 */

rule financial_statement
{
    meta:
        title = "Financial statement with its figures"
        title_zh = "带数据的财务报表（资产负债表、利润表、现金流量表）"
        category = "financial-statements"
        confidence = 85
        validator = "financial_statement"
        on = "text"
    strings:
        $balance = /(资产负债|财务状况|利润|损益|现金流量)表/
        $total = /(资产|负债)(总|合)计/
        $total2 = "流动资产合计"
        $profit = "净利润"
        $en1 = /balance sheets?/ fullword
        $en2 = /(income|cash flow) statements?/ fullword
        $en3 = /statements? of (financial position|operations|comprehensive income|cash flows)/ fullword
        $en4 = /total (current )?(assets|liabilities)/ fullword
        $en5 = /net (income|profit)/ fullword
    condition:
        any of them
}

rule budget_report
{
    meta:
        title = "Budget or final accounts with figures"
        title_zh = "预算、决算表（预算数与实际数）"
        category = "financial-statements"
        confidence = 80
        validator = "budget_report"
        on = "text"
    strings:
        $zh1 = /(预|决)(算表|算总表|算明细|算汇总|算报告|算执行)/
        $zh2 = /预(算金额|算数|算额)/
        $en = /budget(ed)?( amount| report| vs)?/ fullword
    condition:
        any of them
}

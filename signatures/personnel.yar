/* Personnel files: pay, rosters, records of one person, appraisals. */

rule payroll_table
{
    meta:
        title = "Payroll of several employees"
        title_zh = "工资表"
        category = "personnel-files"
        confidence = 85
        validator = "payroll_table"
        on = "text"
    strings:
        $zh1 = /(应|实)(发工资|发合计|发金额)/
        $zh2 = /(基本|岗位|绩效)工资/
        $en1 = /(gross|net) (pay|salary)/ fullword
        $en2 = /(base|basic) (pay|salary)/ fullword
    condition:
        any of them
}

rule employee_roster
{
    meta:
        title = "Roster of employees"
        title_zh = "员工花名册"
        category = "personnel-files"
        confidence = 80
        validator = "employee_roster"
        on = "text"
    strings:
        $zh1 = /(员|职)(工编号|工花名册|工名册|工信息表)/
        $zh2 = "花名册"
        $zh3 = "工号"
        $zh4 = /入(职日期|职时间)/
        $zh5 = "政治面貌"
        $en1 = /employee (id|no|number)/ fullword
        $en2 = /(hire|hiring) date/ fullword
        $en3 = "date of joining" fullword
    condition:
        any of them
}

rule personnel_record
{
    meta:
        title = "Filled personnel form of one person"
        title_zh = "人事档案、员工登记表（已填写）"
        category = "personnel-files"
        confidence = 80
        validator = "personnel_record"
        on = "text"
    strings:
        $zh1 = /(员工|职工|入职|人员|人事)(登记|档案|信息|履历)(表|卡)/
        $zh2 = "人事档案"
        $zh3 = /(干部|个人)(履历|任免审批|档案|简历)(表)?/
        $en = /(employee|personnel) (record|file|information form)/ fullword
    condition:
        any of them
}

rule performance_review
{
    meta:
        title = "Filled performance appraisal"
        title_zh = "绩效考核表（已填写）"
        category = "personnel-files"
        confidence = 80
        validator = "performance_review"
        on = "text"
    strings:
        $zh1 = /(效|度|工)(考核表|评估表|评价表)/
        $zh2 = /被(考核人|评估人|评价人)/
        $en = /performance (review|appraisal|evaluation)/ fullword
    condition:
        any of them
}

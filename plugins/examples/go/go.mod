module example.com/plan_fit

go 1.24

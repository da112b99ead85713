module checks

go 1.24

require warren.local/guest v0.0.0

replace warren.local/guest => ../

module template

go 1.24

require warren.local/guest v0.0.0

// Where your copy of Warren is. guests/go/build finds it without.
replace warren.local/guest => ../

module warren.local/guest

go 1.24

module runbook.test/standin

go 1.24

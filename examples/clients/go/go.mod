module example.ac.uk/client

go 1.24

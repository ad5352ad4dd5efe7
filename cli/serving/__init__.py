"""What `postilion up` consists of: the parts it starts, the schedules it keeps, and how it stops."""

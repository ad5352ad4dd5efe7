"""The doors of a journey beside events: schedules, dates, snapshots of segments, calls, and second tries."""

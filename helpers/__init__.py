"""The small package the lessons share; importing it costs nothing, a lesson imports the modules it needs."""

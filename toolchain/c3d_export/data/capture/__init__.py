"""Frames of programs that run: taken from OpenGL by a preloaded library, or from an X display.

    program --swap--> native/ --socket--> receiver --+
                                                     +--> keeper --> <scene>_NNN.webp
    X display --ffmpeg--> screen --------------------+

`session` starts all of it, and ends it.
"""

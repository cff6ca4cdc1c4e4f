"""``--form``: a search as controls, with the line that repeats what is set.

What is set, as text; knows neither widgets nor Ray:

    state         FormState: all that a line of %ray_tune can say
    parameter     Parameter: one parameter, and the assignment of --space that says the same
    line          to_line, from_line: the state as the magic's line, and back
    guess         guessed_rows: the parameters that the code reads, where the line names none
    problems      problems: every mistake as the line would report it, by control; row_problems: those of the parameters
    preview       preview: what of the state can stand in the line now
    refusals      what parser and plan of the magic say of a line, without a call of the user's code
    calls_code    calls_code: what is not evaluated while one types
    picture       picture: the scale of a range, as HTML

The controls:

    controls      a text, a list, and a control with its message below it
    row           Row: one parameter
    settings      Setting, AlgorithmSetting: the options of the search
    line_view     LineView: the line with Copy and Insert; its code is labextension/src/tune/line-view.ts, and the style
                  of the form labextension/style/form.css
    launch        Launch: Start, Stop, and the view of the search
    panel         Form, show_form: all of it
"""

"""Wrong values for every command, setting and parameter, and the page that lists what each of them gets."""

"""Requests about the time of day."""

GET_CURRENT_TIME = """
what time is it in {zone} [now|right now|]?
what's the time in {zone}?
what is the current time in {zone}?
what is the [local|present] time in {zone} [at the moment|]?
how late is it in {zone}?
tell me the [current|] time in {zone}
tell me how late it is in {zone}
give me the [current|local] time for {zone}
show the [current|] time in {zone}
show me the clock for {zone}
get the [current|] time for {zone}
get current time {zone}
check the clock in {zone}
check what time it is in {zone}
time in {zone}?
time now in {zone}
current time {zone}
{zone} time now [please|]
{zone} time?
now in {zone}?
I need the current time in {zone}
I need to know how late it is in {zone}
I'd like to know the time in {zone}
I wonder what the clock says in {zone}
What does the clock say in {zone}?
What time do they have in {zone}?
What hour is it in {zone}?
Is it already evening in {zone}?
Is it still morning in {zone}?
Is it late in {zone} [right now|]?
Can I still call someone in {zone} or is it night there?
What day is it in {zone} right now?
What is today's date in {zone}?
which day of the week is it in {zone}?
look up the time in {zone}
read the clock for {zone}
Do you have the time for {zone}?
Do you know what time it is in {zone}?
Timezone: {zone}. What time is it?
For {zone}, what is the time?
In {zone}, how late is it at this moment?
My friend lives somewhere else, zone {zone}; what time is it for her?
are people in {zone} awake at this hour? tell me the time there
find out the present hour in {zone}
let me know the time in {zone}
The time in {zone}, please
what would a clock in {zone} show now?
what do the clocks say in {zone}?
what does my watch have to show in {zone}?
what's the hour in {zone}?
what time would it be in {zone} right now?
which time is it in {zone}?
how late have they got in {zone}?
how far along is the day in {zone}?
is it night in {zone}?
is it past noon in {zone}?
is it office time in {zone}? I mean now
has the day begun in {zone}? Check the time
time check for {zone}
clock of {zone}?
clock time in {zone}, please
local time {zone}
say the time in {zone}
say what time it is in {zone}
see what time it is in {zone}
see how late it is in {zone}
read me the clock of {zone}
find the current time for {zone}
fetch the time of {zone}
my colleague sits in {zone}; how late is it there?
I have a call with {zone}, what time is it there now?
I'm flying to {zone}, what time do they have now?
I want the current time for {zone}
for the zone {zone}, give me the time
the zone is {zone}, what's the time?
date and time in {zone}?
""".strip()

GET_TIME_ANYWHERE = """
what time is it [now|right now|]?
what's the time?
what is the current time?
tell me the time
tell me what time it is [now|]
how late is it [now|]?
show the [current|] time
show me the clock
get the current time
give me the [current|exact] time
check the clock
current time?
current time
time?
time now
what time do we have?
do you have the time?
do you know what time it is?
I need the current time
I'd like to know the time
I wonder what time it is
I have no watch, what time is it?
my watch stopped, how late is it?
is it late already?
what day is it today?
what's today's date?
which day of the week is it [today|]?
the time, please
look up the current time
let me know what time it is
how late do we have it?
read the clock for me
""".strip()

CONVERT_TIME = """
convert {time} from {source} to {target}
convert {time} {source} to {target}
convert {time} {source} time into {target} time
what is {time} {source} in {target}?
what is {time} in {source} in {target} time?
what time is {time} {source} in {target}?
what time is it in {target} when it is {time} in {source}?
when it's {time} in {source}, what time is it in {target}?
if it is {time} in {source}, how late is it in {target}?
at {time} in {source}, what does the clock say in {target}?
how late is {time} {source} in {target}?
tell me what {time} in {source} is in {target}
tell me the {target} time for {time} in {source}
give me {time} {source} as {target} time
give me the time in {target} for {time} {source}
translate {time} from {source} to {target} time
translate {time} {source} into {target}
change {time} in {source} to the time in {target}
calculate the time in {target} for {time} {source}
work out {time} {source} for someone in {target}
express {time} in {source} in {target} time
{time} {source} to {target}
{time} {source} -> {target}
{time} {source} = ? {target}
{time} {source} in {target}?
{time} in {source}, in {target} that is?
it is {time} in {source}. And in {target}?
from {source} to {target}: {time}
The meeting is at {time} {source}. When is that in {target}?
The call starts at {time} in {source}; when is it for {target}?
My train leaves at {time} {source} time; which time is that in {target}?
My flight lands at {time} in {source}. What time will it be in {target}?
We meet at {time} ({source}). I'm in {target}, when should I be there?
I live in {target}. When is {time} in {source} for me?
I have a call at {time} {source}, what is that in {target}?
someone said {time} in {source}, I need it in {target}
the show begins at {time} in {source}, at what time in {target}?
Can you turn {time} {source} into {target} time?
which time in {target} matches {time} in {source}?
which time in {target} is {time} {source}?
Does {time} in {source} fall at night in {target}? Convert it
in {target}, what time corresponds to {time} in {source}?
for {target}, what is {time} {source}?
source {source}, target {target}, time {time}: convert
how many o'clock is {time} {source} over in {target}?
shift {time} from {source} to {target}
I know it's {time} in {source}; what does that make it in {target}?
a colleague in {source} is free at {time}, when is that in {target}?
""".strip()

CONVERT_TIME_TIME_MISSING = """
convert< {time}~ a time> from {source} to {target}
what< is {time} {source}~ is the {source} time> in {target}?
The meeting is< at {time}~ in the morning>, {source} time. When is that in {target}?
translate< {time}~ the time of my call> from {source} to {target} time
I have a call< at {time}~ later>, {source} time, what is that in {target}?
my flight lands< at {time}> in {source}. What time will it be in {target}?
from {source} to {target}: convert< {time}~ the time>
change< {time}~ my appointment> from {source} to the time in {target}
turn< {time}~ a time> in {source} into {target} time
the show begins< at {time}> in {source}, at what time in {target}?
shift< {time}~ the meeting time> from {source} to {target}
""".strip()

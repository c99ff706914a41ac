"""Requests about a repository: its state, history, commits and branches."""

GIT_STATUS = """
show [me|] the [git|] status< of {repo}>
check the status< of {repo}>
what is the [current|] state of the working tree< in {repo}>?
are there [any|] uncommitted changes< in {repo}>?
is< {repo}~ the repo> clean [right now|at the moment|]?
is there anything [left to commit|uncommitted]< in {repo}>?
did I forget to commit something< in {repo}>?
do I have [pending|open|local] changes< in {repo}>?
run git status< in {repo}>
git status< {repo}>
git status< for the {repo} repo>
status< of {repo}>?
< {repo}~> status
tell me whether< {repo}~ the project> has [unsaved|uncommitted] work
list the modified files< in {repo}>
which files are [modified|dirty|changed but not committed]< in {repo}>?
any unstaged changes< in {repo}>?
anything untracked< in {repo}>?
Are all changes< in {repo}> committed?
I think I left something uncommitted< in {repo}>, [please look|check for me]
I wonder whether< {repo}~ my working copy> is clean
I'm not sure if I saved all my work< in {repo}> to git
find out if< {repo}~ the working tree> is dirty
give me the git state< of {repo}>
have a look at the working tree< of {repo}> and tell me what changed
Before I leave: are there open edits< in {repo}>?
How does the working copy< of {repo}> look?
verify that nothing is left uncommitted< in {repo}>
does< {repo}~ the repo> have changes that are not committed?
report the status< of the repository {repo}>
report what git says about the state< of {repo}>
I need the status< of the {repo} repository>
let me know if the tree< in {repo}> is dirty
Repository<: {repo}>. Is it clean?
<For {repo}: a~A>ny local modifications?
look for uncommitted work< in {repo}>
what does git status say< in {repo}>?
make sure< {repo}~ the repo> has no leftovers to commit
what is left to commit< in {repo}>?
what still needs committing< in {repo}>?
what have I touched< in {repo}> since the last commit?
which edits< in {repo}> are not committed yet?
did my last edits< in {repo}> get committed?
has anything been left behind uncommitted< in {repo}>?
am I done< in {repo}> or are there leftovers?
make sure nothing< in {repo}> is waiting to be committed
check that all work< in {repo}> is committed
check for local modifications< in {repo}>
see if< {repo}~ my repo> has uncommitted edits
see what is pending< in {repo}>
look whether< {repo}~ my repository> is clean before I go home
confirm that< {repo}~ the repo> is clean
are my changes< in {repo}> safe in git?
can I leave< {repo}~ my repo> as it is, or is something unsaved?
what would go into my next commit< in {repo}>?
how clean is the working tree< of {repo}>?
I changed things< in {repo}>, which ones are not committed?
I want to see what is modified< in {repo}>
I have to know if< {repo}~ the repo> is clean
git state< of {repo}>, please
quick status check< of {repo}>
is everything< in {repo}> committed?
is all of my work< in {repo}> in git already?
is there uncommitted work< in {repo}>?
are there changes< in {repo}> I have not committed?
are there files< in {repo}> that git does not track yet?
are there leftovers< in {repo}>?
is anything< in {repo}> staged?
what is staged< in {repo}>?
what is unstaged< in {repo}>?
what is uncommitted< in {repo}> right now?
what is dirty< in {repo}>?
what has changed< in {repo}> and is not committed?
what did I change< in {repo}> without committing it?
what is different< in {repo}> from the last commit?
what's the status< of {repo}>?
what's the state< of the repository {repo}>?
what's going on< in {repo}>, anything uncommitted?
what's modified< in {repo}>?
how does git see< {repo}~ my project> right now?
how is the working tree< of {repo}> doing?
where do I stand< in {repo}>, is anything uncommitted?
which changes< in {repo}> are still open?
which work< in {repo}> is not committed yet?
which files< in {repo}> are staged?
which files< in {repo}> are untracked?
which files< in {repo}> would be in my next commit?
do I still have to commit anything< in {repo}>?
do I have unfinished work< in {repo}>?
have I committed everything< in {repo}>?
have I left changes< in {repo}> uncommitted?
was everything< in {repo}> committed?
give me the status< of {repo}>
give me a quick git status< of {repo}>
get me the status< of {repo}>
get the git status< of the repo {repo}>
print the status< of {repo}>
display the state of the working tree< in {repo}>
display the git status< of {repo}>
list what is uncommitted< in {repo}>
list untracked files< in {repo}>
list my pending changes< in {repo}>
look at the git status< of {repo}>
look up the status< of {repo}>
see whether anything is uncommitted< in {repo}>
see if the tree< of {repo}> is clean
check< {repo}> for uncommitted changes
check whether< {repo}~ the repo> is dirty
check if I committed everything< in {repo}>
find out whether there are uncommitted changes< in {repo}>
tell me the git status< of {repo}>
tell me if< {repo}~ my repo> is clean
tell me what is modified< in {repo}>
tell me which files are changed< in {repo}>
I'd like the status< of {repo}>
I'd like to know if< {repo}~ the repo> is clean
I want the git status< of {repo}>
I need to know what is uncommitted< in {repo}>
I hope< {repo}~ the repo> is clean, is it?
I forgot whether I committed my work< in {repo}>, take a look
I have to leave soon; is< {repo}~ my repo> clean?
let me see the status< of {repo}>
let me see what is uncommitted< in {repo}>
uncommitted changes< in {repo}>?
changes< in {repo}> since the last commit, please
working tree< of {repo}>: clean or dirty?
clean or dirty<, {repo}>?
the git status< of {repo}>, please
the state< of the repo {repo}>, please
""".strip()

GIT_LOG = """
show [me|] the [commit|git|] history< of {repo}>
show [me|] the log< of {repo}>
show the commits< in {repo}>
list [all|the] commits< of {repo}>
git log< {repo}>
git log< for {repo}>
run git log< in {repo}>
what has been committed< to {repo}> [so far|lately|recently|]?
what happened< in {repo}> [lately|recently]?
what are the recent commits< in {repo}>?
who committed< to {repo}> [lately|recently]?
Which commits does< {repo}~ the repo> have?
give me the commit log< of {repo}>
give me an overview of the commits< in {repo}>
print the commit history< of the {repo} repository>
history< of {repo}> [please|]
<{repo}~repo> history
<{repo}~the> commit log
I'd like to see the history< of {repo}>
I want to read the commit messages< of {repo}>
let me see what was committed< to {repo}>
How did< {repo}~ the project> get here? Show the commits
tell me about the past commits< in {repo}>
[walk|take] me through the history< of {repo}>
When was< {repo}~ the repository> last committed to?
what work went into< {repo}~ the repo> recently?
what is in the git log< of {repo}>?
display the log< for the repository {repo}>
look up the commits< in {repo}>
fetch the commit messages< from {repo}>
catch me up on the commits< in {repo}>
I was away; what got committed< in {repo}>?
<For {repo}, l~L>ist what has been committed
<In {repo}: c~C>ommit history
Could I see the log< of {repo}>?
summarise the commits< in {repo}>
who worked on< {repo}~ the code> and what did they commit?
which changes were committed< in {repo}> over time?
pull up the history< of {repo}>
get the log< of {repo}>
Commits< in {repo}>?
I need to know which commits exist< in {repo}>
""".strip()

GIT_LOG_N = """
show [me|] the last {n} commits< in {repo}>
show the {n} [latest|most recent|newest] commits< of {repo}>
list the last {n} commits< of {repo}>
list {n} commits< from {repo}>
git log -n {n}< in {repo}>
git log --max-count={n}< {repo}>
git log< of {repo}>, only {n} entries
the {n} latest commits< in {repo}> please
last {n} commits< in {repo}>
last {n} commits<, {repo}>
what are the last {n} commits< in {repo}>?
what were the {n} [latest|newest] commits< to {repo}>?
give me the {n} most recent commits< from {repo}>
give me the history< of {repo}>, [at most|no more than|limited to] {n} commits
print {n} entries of the log< of {repo}>
I'd like to see the last {n} changes committed< to {repo}>
I only need the newest {n} commits< of {repo}>
I want the top {n} commits of the history< in {repo}>
Which {n} commits were made last< in {repo}>?
Can I see {n} commits of the log< of {repo}>?
let me see the previous {n} commits< in {repo}>
pull the {n} most recent log entries< from {repo}>
show the commit history< of {repo}> but stop after {n}
show the log< of {repo}> with max count {n}
limit the log< of {repo}> to {n} commits
<In {repo}, w~W>hat do the last {n} commits say?
<{repo}: t~T>he last {n} commits
<For {repo}, t~T>ell me about the {n} newest commits
fetch {n} commits< from the history of {repo}>
read me the last {n} commit messages< of {repo}>
who made the last {n} commits< in {repo}>?
display the most recent {n} commits< for {repo}>
the commit log< of {repo}>, {n} entries [only|]
Just {n} commits of history< from {repo}> are enough
{n} latest commits< of {repo}>?
{n} commits back< in {repo}>: list them
tell me what the last {n} commits< in {repo}> were
how do the {n} most recent commits< of {repo}> read?
the newest {n} commits< of {repo}>, please
the previous {n} commits< of {repo}>
which are the {n} latest commits< in {repo}>?
what went into< {repo}~ the repo> with the last {n} commits?
what do the newest {n} log entries< of {repo}> say?
how about the last {n} commits< of {repo}>?
go back {n} commits< in {repo}> and list them
look {n} commits back< in {repo}>
list {n} entries of the git log< of {repo}>
list up to {n} commits< of {repo}>
list the {n} newest log entries< of {repo}>
get {n} commits out of the log< of {repo}>
get me the latest {n} commits< in {repo}>
take the last {n} commits< of {repo}> and show them
fetch the {n} newest commits< of {repo}>
output {n} lines of history< for {repo}>, one a commit
print the {n} most recent commits< of {repo}>
read the newest {n} commits< of {repo}> to me
I want to see {n} commits< of {repo}>
I'd like the {n} most recent changes< of {repo}> from the log
I was away for {n} commits< in {repo}>, what were they?
no more than {n} commits of the log< of {repo}>
in the log< of {repo}>, what are the last {n} entries?
history< of {repo}>, {n} commits
I want {n} commits< of {repo}>, the newest
I would like to read {n} commits< of {repo}>
show {n} commits< of {repo}>
see {n} commits< of {repo}>
let me have {n} commits< from {repo}>
bring me the last {n} commits< of {repo}>
show the {n} commits that were made last< in {repo}>
show me {n} commits of history< of {repo}>
give me {n} commits< of {repo}>
give me the last {n} entries of the log< in {repo}>
display {n} commits< of {repo}>
what are the {n} newest entries in the log< of {repo}>?
what happened in the last {n} commits< of {repo}>?
what was done< in {repo}> in the last {n} commits?
what did the last {n} commits do< in {repo}>?
which {n} commits are the newest< in {repo}>?
I'd like the last {n} commits< of {repo}>
I need the last {n} commits< in {repo}>
I want to read the last {n} commit messages< in {repo}>
let me read the newest {n} commits< of {repo}>
let me see {n} commits< of {repo}>
tell me the last {n} commits< of {repo}>
find the last {n} commits< in {repo}>
look at the newest {n} commits< in {repo}>
look up the last {n} commits< of {repo}>
run git log< in {repo}> with {n} entries
""".strip()

GIT_SHOW = """
show [me|] commit {rev}< in {repo}>
show {rev}< from {repo}>
show me what {rev} changed< in {repo}>
git show {rev}< in {repo}>
run git show {rev}< for the {repo} repository>
what did {rev} change< in {repo}>?
what changed in {rev}< of {repo}>?
what is in [commit|revision|] {rev}< of {repo}>?
what does [commit|] {rev} do< in {repo}>?
what was done in {rev}< ({repo})>?
who [made|wrote|authored] {rev}< in {repo}>?
open commit {rev}< of {repo}>
display [revision|commit] {rev}< from {repo}>
display the diff of {rev}< in {repo}>
give me the details of {rev}< in {repo}>
give me the [diff|patch] of [commit|] {rev}< from {repo}>
I'd like to see {rev}< ({repo})>
I'd like to look at commit {rev}< in {repo}>
I need to review {rev}< in {repo}>
I want to know what {rev} did< to {repo}>
let me see the changes of {rev}< in {repo}>
tell me about [commit|revision] {rev}< of {repo}>
explain what {rev} changed< in the {repo} repo>
look up {rev}< in {repo}>
look at revision {rev}< in the repository {repo}>
inspect {rev}< in {repo}>
pull up the patch {rev}< from {repo}>
print [commit|the revision] {rev}< of {repo}>
Which files did {rev} touch< in {repo}>?
Which lines changed in {rev}< of {repo}>?
When was {rev} made< in {repo}>?
<In {repo}, w~W>hat does {rev} contain?
<In {repo}: s~S>how {rev}
<{repo}, c~C>ommit {rev}: what is it about?
{rev}< in {repo}>, what is that commit?
{rev}< of {repo}> please
details of {rev}< in {repo}>?
commit {rev}< of {repo}> - what's the message?
Can I have a look at {rev}< of {repo}>?
someone mentioned {rev}< in {repo}>, show it [to me|]
something broke with {rev}< in {repo}>; show me that commit
check what {rev} introduced< in {repo}>
read me the message and diff of {rev}< from {repo}>
""".strip()

GIT_SHOW_REV_MISSING = """
show me< commit {rev}~ that commit> in {repo}
show< {rev}~ one of the commits> from {repo}
what did< {rev}~ that commit> change in {repo}?
give me the details of< {rev}~ a commit> in {repo}
open< commit {rev}~ a certain commit> of {repo}
display the diff of< {rev}~ the commit> in {repo}
git show< {rev}> in {repo}
I'd like to look at< commit {rev}~ an older commit> in {repo}
who wrote< {rev}~ the commit I mean> in {repo}?
In {repo}, what does< {rev}~ the commit> contain?
look up< {rev}~ this one commit> in {repo}
inspect< {rev}~ a particular revision> in {repo}
print< the revision {rev}~ the revision> of {repo}
which files did< {rev}~ the commit> touch in {repo}?
tell me about< commit {rev}~ the commit we discussed> of {repo}
""".strip()

GIT_CREATE_BRANCH = """
create [a|the|] branch {branch}< in {repo}>
create a [new|] branch [called|named] {branch}< in {repo}>
make a [new|] branch {branch}< in {repo}>
make {branch} as a new branch< in {repo}>
add a branch [called|named|] {branch}< to {repo}>
start a [new|] branch {branch}< in {repo}>
open a [new|] branch named {branch}< in {repo}>
set up [a branch|branch] {branch}< in the {repo} repo>
git branch {branch}< in {repo}>
new branch {branch}< in {repo}>
new branch<, repo {repo}>, name {branch}
branch {branch}< for {repo}>, create it
I need a [new|] branch {branch}< in {repo}>
I need {branch} to exist as a branch< in {repo}>
I want to work on {branch}< in {repo}>, create that branch
I'd like a fresh branch< in {repo}> with the name {branch}
<In {repo}, c~C>reate the branch {branch}
<{repo} needs~We need> a branch [called|named] {branch}
<{repo} should get~There should be> a new branch, {branch}
<In {repo}: n~N>ew branch {branch}
There is no branch {branch}< in {repo}> yet, [add one|make it]
branch off< in {repo}>, call it {branch}
branch off the current branch< in {repo}> as {branch}
Could we have a branch {branch}< in {repo}>?
Can I get a branch called {branch}< in {repo}>?
give me a new branch {branch}< in {repo}>
prepare a branch< in {repo}>, name: {branch}
spin up a branch {branch}< in {repo}>
begin a branch named {branch}< inside {repo}>
a new branch< for {repo}> please: {branch}
let's have a branch< in {repo}> and name it {branch}
put a new branch [called|named] {branch} into< {repo}~ the repository>
{branch} should be a new branch< in {repo}>
add {branch} to the branches< of {repo}>
We start something new< in {repo}>: create branch {branch}
the team wants a branch {branch}< in {repo}>, set it up
cut a branch {branch}< in {repo}>
create branch {branch}< for {repo}>
create something new< in {repo}>: the branch {branch}
could you add the branch {branch}< to {repo}>?
build a new branch {branch}< in {repo}>
call the new branch< of {repo}> {branch}
name a new branch< in {repo}> {branch}
get a branch {branch} going< in {repo}>
make me a branch {branch}< in {repo}>
make the branch {branch}< in {repo}>, it does not exist yet
introduce a branch {branch}< in {repo}>
establish branch {branch}< in {repo}>
fork off a branch {branch}< in {repo}>
from the current state< of {repo}>, create branch {branch}
for my next task I need branch {branch}< in {repo}>
I want a [new|] branch {branch}< in {repo}>
I'm starting on {branch}< in {repo}>, make the branch
my next branch< in {repo}> is {branch}, create it
the new branch< in {repo}> shall be {branch}
this needs a branch {branch}< in {repo}>
{branch}: a new branch< for {repo}>
register a branch {branch}< in {repo}>
put up the branch {branch}< in {repo}>
have a branch {branch} made< in {repo}>
there has to be a branch {branch}< in {repo}>
we want {branch} as a branch< of {repo}>
do the branch {branch}< in {repo}>, new
generate the branch {branch}< in {repo}>
{branch} is missing as a branch< in {repo}>, make it
give< {repo}~ the repo> a new branch {branch}
give me branch {branch}< in {repo}>, it is new
bring a new branch {branch} into< {repo}~ the repo>
launch a branch {branch}< in {repo}>
let there be a branch {branch}< in {repo}>
can {branch} become a new branch< in {repo}>?
create {branch} as a new branch< in {repo}>
create a branch< in {repo}> and call it {branch}
create a branch< in {repo}>, its name is {branch}
create me a branch {branch}< in {repo}>
create the new branch {branch}< inside {repo}>
create one more branch< in {repo}>, {branch}
make a branch< in {repo}> and name it {branch}
make a branch for me< in {repo}>: {branch}
make a branch called {branch}< in {repo}>
make one more branch< in {repo}>, named {branch}
make {branch} a branch of its own< in {repo}>
add the new branch {branch}< to {repo}>
add one more branch< to {repo}>, {branch}
add a new branch< to {repo}> by the name {branch}
open the new branch {branch}< in {repo}>
open one more branch< in {repo}> as {branch}
start the new branch {branch}< in {repo}>
start something new< in {repo}> on a branch called {branch}
set up a new branch< in {repo}>, name it {branch}
set up the new branch {branch}< for {repo}>
set a new branch {branch} up< in {repo}>
I need {branch} as a new branch< in {repo}>
I need one more branch< in {repo}>: {branch}
I would like a branch {branch}< in {repo}>
I'd like {branch} to be created as a branch< in {repo}>
I'd like you to make a branch {branch}< in {repo}>
I want {branch} created< in {repo}> as a branch
I want you to create branch {branch}< in {repo}>
I have no branch {branch}< in {repo}>, create one
I have a new task, so make the branch {branch}< in {repo}>
we need {branch} as a new branch< in {repo}>
we need one more branch< in {repo}>, call it {branch}
we have to have a branch {branch}< in {repo}>, create it
could a branch {branch} be created< in {repo}>?
could there be a new branch {branch}< in {repo}>?
can there be a branch {branch}< in {repo}>? Create it
can we get {branch} as a new branch< of {repo}>?
may I have a new branch {branch}< in {repo}>?
is it possible to get a new branch {branch}< in {repo}>?
what about a new branch {branch}< in {repo}>? Make it
how about a new branch< in {repo}>, {branch}?
grow a new branch {branch}< in {repo}>
split off a branch {branch}< in {repo}>
derive a new branch {branch}< in {repo}>
initialise a branch {branch}< in {repo}>
provide a new branch {branch}< in {repo}>
kick off a branch {branch}< in {repo}>
arrange a new branch {branch}< for {repo}>
define a new branch {branch}< in {repo}>
the branch {branch} has to be created< in {repo}>
the branch {branch} does not exist< in {repo}>, create it
a branch with the name {branch} is needed< in {repo}>
a new branch with the name {branch}< in {repo}>
branch creation< in {repo}>: {branch}
{branch} has to be created as a branch< of {repo}>
{branch} does not exist< in {repo}> so far, create the branch
""".strip()

GIT_CREATE_BRANCH_NAME_MISSING = """
create a [new|] branch< {branch}> in {repo}
make a new branch< called {branch}> in {repo}
I need a new branch< {branch}> in {repo}
add a branch< named {branch}> to {repo}
start a branch< {branch}> in {repo}
set up a new branch< {branch}> in the {repo} repo
In {repo}, create a branch< {branch}>
open a [new|] branch< named {branch}> in {repo}
I'd like a fresh branch in {repo}< with the name {branch}>
Can I get a branch< called {branch}> in {repo}?
new branch< {branch}> in {repo}
{repo} should get a new branch<, {branch}>
branch off in {repo}<, call it {branch}>
give me a new branch< {branch}> in {repo}
prepare a branch in {repo}<, name: {branch}>
please make one more branch< {branch}> in {repo}
build a branch< {branch}> for {repo}
name a new branch in {repo}<: {branch}>
I want a branch< {branch}> in {repo}
we need another branch in {repo}<, {branch}>
the team needs a branch< {branch}> in {repo}
get a branch< {branch}> going in {repo}
put a new branch< {branch}> into {repo}
fork off a branch< {branch}> in {repo}
start something new in {repo}, on a branch of its own<: {branch}>
for my next task I need a branch< {branch}> in {repo}
generate a branch< {branch}> in {repo}
introduce a new branch< {branch}> to {repo}
Could we have a new branch< {branch}> in {repo}?
{repo}: new branch<, name {branch}>
create one more branch in {repo}<, call it {branch}>
make the next branch in {repo}<, {branch}>
set a branch< {branch}> up in {repo}
I'm starting something in {repo}, make a branch< {branch}>
a branch< {branch}> is missing in {repo}, make it
""".strip()

GIT_CREATE_BRANCH_FROM = """
create [a|] branch {branch} from {base}< in {repo}>
create a branch {branch}< in {repo}> [based on|starting at|off] {base}
make a new branch {branch}< in {repo}>, starting from {base}
from {base}, create {branch}< in {repo}>
branch {branch} off {base}< in {repo}>
branch off {base}< in {repo}> and call it {branch}
start {branch} from {base}< in {repo}>
new branch {branch}< in {repo}>, base {base}
new branch {branch} from {base}<, repo {repo}>
git branch {branch} {base}< in {repo}>
I need a branch {branch}< in {repo}> that starts at {base}
I'd like {branch}< in {repo}> to be created from {base}
<In {repo}, t~T>ake {base} and branch {branch} from it
<{repo}: b~B>ranch {branch}, from {base}
use {base} as the base for a new branch {branch}< in {repo}>
with {base} as base, add the branch {branch}< to {repo}>
set up {branch}< in {repo}> on top of {base}
fork {base} into {branch}< in {repo}>
copy branch {base}< in {repo}> to a new one called {branch}
add a branch named {branch}< to {repo}>, base branch {base}
{branch} should start where {base} is< in {repo}>, create it
make {base} the starting point of a new branch {branch}< in {repo}>
Could we get a branch {branch}< in {repo}> built on {base}?
open {branch}< in {repo}>, not from the current branch but from {base}
base a new branch on {base}< in {repo}>, name it {branch}
""".strip()

GIT_CHECKOUT = """
switch to [branch|the branch|] {branch}< in {repo}>
switch< {repo}~ the repo> to [branch|] {branch}
switch over to {branch}< in {repo}>
check out [branch|the branch|] {branch}< in {repo}>
checkout {branch}< in {repo}>
git checkout {branch}< in {repo}>
git switch {branch}< in {repo}>
change to [the branch|branch] {branch}< in {repo}>
change the branch< of {repo}> to {branch}
change branches< in {repo}>: {branch}
move< {repo}~ my checkout> to the branch {branch}
move to branch {branch}< in {repo}>
go to [branch|the] {branch}< in {repo}>
go over to branch {branch}< of {repo}>
jump to branch {branch}< in {repo}>
put< {repo}~ the repo> on branch {branch}
put me on branch {branch}< in {repo}>
get me onto {branch}< in {repo}>
set< {repo}~ the repository> to branch {branch}
bring< {repo}~ the working tree> to the state of branch {branch}
use branch {branch}< in {repo}> from now on
I want to be on [branch|] {branch}< in {repo}>
I'd like to work on the existing branch {branch}< in {repo}>
I need to continue on {branch}< in {repo}>, switch to it
<In {repo}, s~S>witch the branch to {branch}
<In {repo}: c~C>heckout of {branch}
<{repo}~My repo> should be on {branch}
<{repo}~The project> is on the wrong branch, it should be {branch}
Could we continue on branch {branch}< of {repo}>?
Can we look at branch {branch}< of {repo}>? Check it out
activate the branch {branch}< in {repo}>
make {branch} the current branch< in {repo}>
make {branch} the active branch< of {repo}>
load the branch {branch}< of {repo}> into the working tree
open the existing branch {branch}< in {repo}>
leave the current branch< of {repo}> and take {branch}
take< {repo}~ the repo> to {branch}
{branch} is the branch I need< in {repo}>, check it out
time for {branch}< in {repo}>, change branches
we continue with {branch}< in {repo}>, switch there
swap to branch {branch}< in {repo}>
swap branches< in {repo}> to {branch}
flip< {repo}~ the repo> over to {branch}
turn< {repo}~ the repo> to the branch {branch}
select the branch {branch}< in {repo}>
choose branch {branch}< in {repo}>
enter the branch {branch}< of {repo}>
return to {branch}< in {repo}>
go back to branch {branch}< in {repo}>
get back onto {branch}< in {repo}>
head over to {branch}< in {repo}>
point< {repo}~ the repo> at the branch {branch}
work on branch {branch}< in {repo}> next
I need branch {branch}< in {repo}> now
I need to look at {branch}< in {repo}>, check it out
I want to see the branch {branch}< of {repo}>, switch to it
I must get to branch {branch}< in {repo}>
please have< {repo}~ the repo> on {branch}
have< {repo}~ the repo> checked out at {branch}
from now on {branch} is the branch to use< in {repo}>
{branch} should be checked out< in {repo}>
the branch< in {repo}> should be {branch} now
pick up the work on {branch}< in {repo}>
check out< in {repo}> the branch {branch}
check out {branch}, an existing branch< of {repo}>
let us switch to {branch}< in {repo}>
let me work on {branch}< in {repo}>, change to it
resume {branch}< in {repo}>
move< {repo}~ the repo> onto {branch}
move< {repo}~ the repo> over to branch {branch}
make< {repo}~ the repo> use the branch {branch}
leave this branch< of {repo}>, go to {branch}
drop the current branch< of {repo}> for {branch}
change< {repo}~ the repo> over to {branch}
shift< {repo}~ the repo> to the branch {branch}
check out the existing branch {branch}< of {repo}>
check the branch {branch} out< in {repo}>
check {branch} out for me< in {repo}>
checkout of branch {branch}< in {repo}>
switch me to {branch}< in {repo}>
switch me over to the branch {branch}< in {repo}>
switch branches< in {repo}>, I need {branch}
switch the working tree< of {repo}> to {branch}
switch away from the current branch< of {repo}> to {branch}
change over to {branch}< in {repo}>
change me to branch {branch}< in {repo}>
change to {branch}, which exists already< in {repo}>
go onto the branch {branch}< of {repo}>
go and check out {branch}< in {repo}>
move over to {branch}< in {repo}>
move me to branch {branch}< in {repo}>
hop over to {branch}< in {repo}>
hop to the branch {branch}< of {repo}>
step over to branch {branch}< in {repo}>
take me to branch {branch}< in {repo}>
take me over to {branch}< in {repo}>
bring me to the branch {branch}< in {repo}>
bring< {repo}~ the repo> to branch {branch}
get< {repo}~ the repo> onto branch {branch}
get me back to {branch}< in {repo}>
come back to the branch {branch}< in {repo}>
I have to work on {branch}< in {repo}>, check it out
I have to go back to {branch}< in {repo}>
I need to be on branch {branch}< in {repo}>
I need to switch to {branch}< in {repo}>
I want to go on with {branch}< in {repo}>, switch over
I want to get back to branch {branch}< of {repo}>
I'd like to be on {branch}< in {repo}>
I'd like to switch to {branch}< in {repo}>
I'd like to change to branch {branch}< in {repo}>
I'm on the wrong branch< in {repo}>, bring me to {branch}
we work on {branch} today< in {repo}>, switch to it
could you switch< {repo}~ the repo> to {branch}?
can we go back to {branch}< in {repo}>?
can we switch to the branch {branch}< in {repo}>?
can you get me onto branch {branch}< of {repo}>?
is it possible to switch to {branch}< in {repo}>?
let's go back to branch {branch}< in {repo}>
let's change to {branch}< in {repo}>
my work is on {branch}< in {repo}>, check that branch out
the work goes on in {branch}< in {repo}>, switch to that branch
""".strip()

GIT_CHECKOUT_BRANCH_MISSING = """
switch to< branch {branch}~ another branch> in {repo}
switch {repo} to< {branch}~ a different branch>
check out< {branch}~ the other branch I use> in {repo}
checkout< {branch}~ a branch> in {repo}
git checkout< {branch}> in {repo}
change the branch of {repo}< to {branch}>
change branches in {repo}<: {branch}>
move {repo} to< the branch {branch}~ the right branch>
In {repo}, switch the branch< to {branch}>
put {repo} on< branch {branch}~ the proper branch>
I want to be on< {branch}~ a different branch> in {repo}
{repo} should be on< {branch}~ another branch>
get me onto< {branch}~ my other branch> in {repo}
go to< branch {branch}~ the branch> in {repo}
we continue with< {branch}~ a different branch> in {repo}, switch there
swap to< branch {branch}~ some other branch> in {repo}
flip {repo} over to< {branch}~ another branch>
select< the branch {branch}~ a branch> in {repo}
go back to< branch {branch}~ my earlier branch> in {repo}
return to< {branch}~ the branch I had> in {repo}
head over to< {branch}~ that other branch> in {repo}
let me work on< {branch}~ a different branch> in {repo}, change to it
let us switch to< {branch}~ another branch> in {repo}
I need to look at< {branch}~ another branch> in {repo}, check it out
I want to see< the branch {branch}~ one of the branches> of {repo}, switch to it
check out< the branch {branch}~ a branch> in {repo}
check out< {branch}~ the right branch> in {repo}
take {repo} to< the branch {branch}~ another branch>
please have {repo} on< {branch}~ another branch>
turn {repo} to< the branch {branch}~ a different branch>
pick up the work on< {branch}~ my other branch> in {repo}
resume< {branch}~ the other branch> in {repo}
move {repo} to< {branch}~ some other branch>
choose< branch {branch}~ another branch> in {repo}
use< branch {branch}~ another branch> in {repo}
jump to< branch {branch}~ the other branch> in {repo}
{repo} is on the wrong branch<, it should be {branch}>
""".strip()

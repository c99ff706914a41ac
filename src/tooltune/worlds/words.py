"""Words for invented names.

A tokenizer splits each of them alike after a space, a slash and a quotation mark, so that a small
model copies such a name from a request into JSON token by token; others it would have to spell
anew. They are many: a model that meets each word a few times can only learn to copy it.
"""

_LINES = """
    ability absolute absorb abstract academia academic accept account accuracy acre action
    activate active activity actor adapt adaptive adequate adjust admin adult advent affirm
    agency agent agree aircraft alert align alive allow alpha alter altitude amber amino ample
    anchor anger angle angular animal animate annual answer append apple approx arch arctic area
    argument array arrow article artist aspect assert asset assign atom atomic attach attempt
    augment author auto average avid avoid await aware axial backup backward balance band bank
    baseline basic batch beam bean beat behavior belief bell bench benefit berry best beta
    better bill billion binary bind biology bird birth blank blind blob block blow blown blue
    board boat body bold bolt book boost boot bore borough bottom bound boundary branch brand
    bread break brew bridge brief bright broad broken brother brow brown browser buck bucket
    budget buff buffer builder built burn bush button byte calendar call calorie camera camp
    cancel cannot capacity capital caption capture carbon card care case cash cast castle
    catalog catch category cause center central century certain chain chair change channel chant
    chapter charge chart chat check checker chemical chief child children chip choice choose
    chosen chunk circle circuit city claim classic clean clear click client climate clip clone
    close closure cloth cloud cluster coast coat code coin cold college color column comb
    comfort command comment commerce commit common company compare compile compiler complete
    complex compute computer concept cone confirm conflict conform connect consider console
    constant consumer contact content context continue contour contract contrast control convert
    cook cookie cool copy corn correct cost counter country course court cover coverage craft
    create creation creative creator credit critical crow crypt cube cultural culture currency
    current cursive cursor custom customer cutoff cycle dark dash data database date daughter
    day decay decimal decision decode decoder decor deep default defense define degree delay
    delivery demand demo dense density depend deploy depth describe design desk detach detail
    detect detector develop device dial dialog diameter digest digit digital director disc
    discord dish display distance district divide division doctor document dollar domain done
    door dose double dough down download draw drawn dream drew drive driver duct dummy dump
    duration duty dwell dynamic earth east eastern easy echo ecology economic edit editor effect
    efficacy eight elect election electric element email emit employ enact encode encoder energy
    engine enough ensure enter entity entropy entry episode epoch epsilon equal error escape
    esteem estimate ether ethical evaluate event evidence evident exact exam example excel
    except exchange exclude execute exercise exist exit expand expect expert export exposure
    extend external extra extract face fact faction factor factory failure fair fake fall fare
    farm fashion fast father fault feat feedback feel feet felt fiber fiction field fifth figure
    file fill filter final find fine finger finish fire firm fish fixture flash flat flatten
    flex flight flip float floor flow flower fluid flush flux foil fold folder follow font food
    foot fore foreign forest forestry forget form formal formula forum forward founder fourth
    fraction frag free freedom freeze fresh friend front frozen fruit full function fund fusion
    future gain game gate gateway gather gear gene general generate generic genome geometry give
    glacial glob global goal gold gone good govern grab grace grad grade gradient graduate gram
    grand grant graph gravity gray great greater grid ground group grow grown growth hair hall
    hand handle handler hard hardware haul head health healthy heat heavy height held hello
    helper helpful hero hidden hide high higher highest hill hint hire historic history hold
    holder hole home hood horn horse hose hospital host hour house human hyper icon idea ideal
    identity ignore illusion image import include income indent industry infer info inform
    initial input insert install instance integer intend interest intern internal internet
    interval invalid invent inverse invest iron issue item iterate iterator jack join joint
    judgment jump justice keep keeper kernel keyword kind know label lake lambda lance land
    lander lane language large largest last latent latitude launch lawful layer lead leader leaf
    league lean learn lease leave left legend length letter level library license life lift
    light lime limit line linear liner linger link lion liquid listen listener liter little live
    load loader local locale location lock logger logical long look loom loop lord lost lower
    machine magic magnetic main major maker manager manifest manual margin marine mark marker
    market mart master match mate material math matrix matter maybe meal mean meat media median
    medicine medium melt member memory mental merge mesh message meta metal meter method metric
    micron middle might mighty mile milk mill million mind mine mini minimum minor minute misc
    mission mist mobile mock mode model modern module moment money monitor month moon mother
    motion motor mount mouse mouth move movement movie multi multiple music myth name nation
    national native natural nature nearest neck negative nest network neutral next nine node
    noise norm normal north nose notch note noun null number numeric object occur ocean offer
    office official offset older online onset open operator optic optimal optimize option
    optional oral orange orbit order organ organic origin original outer output outside oven
    overflow overlap overlay override owner oxide oxygen pace pack package packet page paid pair
    panel paper parallel parent park parse parser part partial particle party paste patch path
    patient pattern pause payload payment peace peak peer people percent perfect perform period
    perm person personal phone photo phrase physical pick pickle picture piece pine pipeline
    pitch pixel place plain plane planet plant plastic platform play player playlist pleasant
    plot plug plugin plural point pointer poke polar pole poll popular port portion position
    positive post pound powder power practice predict prefix prep prepare present pressure
    pretty prevent price primary prime print printer prior priority problem product prof profile
    profit program project prompt proof prop property protocol proven provider proxy public
    publish pull pure purple purpose push quake quality quantity quart quarter query quest
    question quick quiet quit quote race rack radio raft rain raise ranch random range rank rare
    rate ratio rational reach reaction reader ready real reason recall receiver recent recipe
    record reduce reflect refresh region registry regular relation relative relevant reliance
    remember remote rename render renew rent repair repeat replace report request require
    research resolve resource respect respond response rest restore result retrieve return
    reverse review revision reward rice ride ridge right ripe rise risk river road robe robot
    rock role roll roller room root rose rotate rotation rough round route router routine rule
    runner rush safe safety sale salt sample sampler save scalar scale scan scatter scenario
    scene schedule schema scheme school science scope score script scroll search season seat
    second section sector secure seek segment select selector self seller send sender sense
    sensor sentence sequence serial server service setup seven sever several shape share sharp
    sheet shell shield shift shine ship shirt shop shore short show shuffle side sight sigma
    sign signal similar simple single situ size skill skin skip sleep slice slip slope slot slow
    slug small smart smooth snake snap snapshot snow social sock socket soft software soil solar
    sole solid solution solve solver song soon sort sound soup source south space span spatial
    special specific spectrum speech sphere spin spirit split spoken spot spread square squeeze
    stack staff stage stand standard star starch start state static station stay stead stem step
    still stock stone stood stop storage store storm story strand strap strategy stream street
    strength strict stride strip stroke strong stub student study stuff style subject submit
    subset suffix sugar suggest suite summary summer super support surface survey swap sweet
    switch symbol sync system tail tale talk tall target task teacher tear tech temp template
    tensor tenth term terminal test text theme theory thermal theta thick thin third thorn
    thought thread three thumb tick tidal tier tight tile time timer tiny title today together
    tone tool tooth topic torch total touch tower town trace track tracker tract trade traffic
    train transfer transmit travel treat tree trig trigger trim trip tropical true trust truth
    tune turn tweet type typical uniform union unique unit unity unpack update upload upper
    urban user username utility valence valid validate value vantage variance variant vary
    vector vehicle velocity vent venue verb verify verse version vertex vertical vest video view
    viewer vine virtual vision visit visual vitamin voice volt voltage volume vote wait walk
    wall wallet want ward ware warm warn wash waste watch water wave wealth wear weather website
    week weight west western wheat wheel white wide widget width wiki wind window wine winner
    winter wise wolf woman wood word work worker workflow world worth worthy woven wrap write
    writer written yard year yellow yield zone zoom
"""

WORDS = tuple(_LINES.split())
